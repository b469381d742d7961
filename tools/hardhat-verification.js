// Hardhat's verify plugin on what `tools/verify.py` says was deployed: each contract with its arguments and libraries.
"use strict";

const fs = require("fs");
const { task } = require("hardhat/config");

const { FAIRSHARE_RPC, FAIRSHARE_CHAIN_ID, FAIRSHARE_EXPLORER, FAIRSHARE_EXPLORER_URL, FAIRSHARE_EXPLORER_KEY } =
  process.env;

/** Where `tools/verify.py` started this process: the chain, and the one explorer that is meant. */
function explorerConfig() {
  if (!FAIRSHARE_EXPLORER) return { etherscan: { enabled: false } };
  const chainId = Number(FAIRSHARE_CHAIN_ID);
  const custom = (apiURL) => [{ network: "deployed", chainId, urls: { apiURL, browserURL: new URL(apiURL).origin } }];
  const config = {
    networks: { deployed: { url: FAIRSHARE_RPC, chainId } },
    etherscan: { enabled: false },
    blockscout: { enabled: false },
    sourcify: { enabled: false },
  };
  const url = FAIRSHARE_EXPLORER_URL;
  if (FAIRSHARE_EXPLORER === "sourcify") config.sourcify = { enabled: true, ...(url && { apiUrl: url }) };
  else if (FAIRSHARE_EXPLORER === "blockscout")
    config.blockscout = { enabled: true, customChains: url ? custom(url) : [] };
  // A single key is Etherscan's own, for all its chains (API v2); by network it is that of the explorer at the URL.
  else if (url)
    config.etherscan = { enabled: true, apiKey: { deployed: FAIRSHARE_EXPLORER_KEY || "none" }, customChains: custom(url) };
  else
    config.etherscan = { enabled: true, apiKey: FAIRSHARE_EXPLORER_KEY, customChains: custom("https://etherscan.io/") };
  return config;
}

function constructorArguments(proof, artifact) {
  const { defaultAbiCoder } = require("@ethersproject/abi");
  const constructor = artifact.abi.find((entry) => entry.type === "constructor");
  if (constructor === undefined) return [];
  return [...defaultAbiCoder.decode(constructor.inputs, `0x${proof.constructor_arguments}`)];
}

task("verify-deployment", "Verifies the source of each contract that a file of source proofs names")
  .addParam("proofs", "written by tools/verify.py")
  .setAction(async ({ proofs }, { artifacts, run }) => {
    await run("compile", { quiet: true });
    for (const proof of JSON.parse(fs.readFileSync(proofs, "utf8"))) {
      const artifact = await artifacts.readArtifact(proof.contract);
      await run("verify:verify", {
        address: proof.address,
        contract: proof.contract,
        libraries: proof.libraries,
        constructorArguments: constructorArguments(proof, artifact),
      });
    }
  });

module.exports = { explorerConfig };
