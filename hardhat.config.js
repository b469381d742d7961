// Hardhat over the project's one compiler: npm's solc, offline, with the settings every other tool uses.
"use strict";

const path = require("path");
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

require("@nomicfoundation/hardhat-verify");
const { explorerConfig } = require("./tools/hardhat-verification.js");
const { version, settings } = require("./tools/solc-settings.json");

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async ({ solcVersion }, hre, runSuper) => {
  if (solcVersion !== version) return runSuper();
  const solc = require("solc");
  return {
    version,
    longVersion: solc.version().replace(/\.Emscripten.*$/, ""),
    compilerPath: path.join(path.dirname(require.resolve("solc/package.json")), "soljson.js"),
    isSolcJs: true,
  };
});

/** @type {import("hardhat/config").HardhatUserConfig} */
module.exports = {
  ...explorerConfig(),
  solidity: { version, settings },
  paths: { sources: "contracts", cache: "build/hardhat/cache", artifacts: "build/hardhat/artifacts" },
};
