"""`fairshare serve`: the HTTP API."""

from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import DEFAULT_PEER_RATE, PeerRate, Settings, with_settings

app = typer.Typer()

API = "api"


@app.command()
@with_settings
def serve(
    settings: Settings,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen at.")] = 8080,
    peer_rate: PeerRate = DEFAULT_PEER_RATE,
    from_block: Annotated[
        int | None,
        typer.Option("--from-block", min=0, help="Block of the deployment; default: what --deployment says."),
    ] = None,
) -> None:
    """Serve the market read-only over HTTP: projects, rounds, payouts, audits; /docs describes it."""
    from marketplace.api.app import create_app
    from marketplace.api.server import serve as serve_app
    from marketplace.node.request_rate import Rate
    from marketplace.node.session import connect, open_store

    rate = Rate.of(peer_rate)
    client = connect(settings)
    with open_store(settings, settings.state_dir / API) as store:
        first = client.from_block if from_block is None else from_block
        api = create_app(client, store, settings.cache_dir, from_block=first)
        url = f"http://{host}:{port}"
        said = f"serving at {url}, its pages at {url}/docs"
        document = {"url": url, "market": str(client.address)}
        serve_app(api, host, port, rate=rate, on_listening=lambda: console.result(document, said))
