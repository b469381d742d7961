"""The intake over HTTP: POST /submissions, GET /previews; bounded in size, time, connections and requests."""

from __future__ import annotations

from contextlib import AbstractContextManager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from aggregator.intake import MAX_BODY_BYTES, Intake, read_submission
from marketplace.errors import FairshareError, Reason
from marketplace.node.connections import Limits
from marketplace.node.hand_over import PATH
from marketplace.node.listening import serving
from marketplace.node.previews import PATH as PREVIEWS
from marketplace.node.request_rate import Rate

_STATUS = {
    Reason.BAD_INPUT: 400,
    Reason.INTEGRITY: 403,
    Reason.NOT_FOUND: 404,
    Reason.REFUSED: 409,
    Reason.TOO_LARGE: 413,
}


def create_app(intake: Intake) -> FastAPI:
    """Answers a submission with {"receipt": ..}, or {"error": {code, message, hint}} and a 4xx; shows previews."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def take(request: Request) -> Response:
        try:
            submission = read_submission(await _body(request))
            receipt = await run_in_threadpool(intake.take, submission)
        except ClientDisconnect:
            return Response(status_code=400)  # for nobody: it has gone, or was too slow
        except FairshareError as error:
            document = {"code": str(error.reason), "message": error.message, "hint": error.hint}
            return JSONResponse({"error": document}, _STATUS.get(error.reason, 500))
        return JSONResponse({"receipt": receipt})

    @app.get(PREVIEWS + "/{project}/{round_}")
    async def preview(project: int, round_: int) -> Response:
        document = intake.preview(project, round_)
        if document is None:
            return Response(status_code=404)
        return Response(document, media_type="application/json")

    return app


def listening(
    intake: Intake, host: str, port: int, limits: Limits | None = None, rate: Rate | None = None
) -> AbstractContextManager[int]:
    """Serves the intake as `serving` does."""
    return serving(create_app(intake), host, port, limits, rate, name="intake")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise FairshareError(Reason.TOO_LARGE, f"a submission has at most {MAX_BODY_BYTES} bytes")
    return body
