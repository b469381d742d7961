"""Errors as application/problem+json (RFC 9457), with the project's reason codes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from marketplace.errors import FairshareError, Reason

MEDIA_TYPE = "application/problem+json"

STATUS: dict[Reason, int] = {
    Reason.BAD_INPUT: 400,
    Reason.BAD_SPEC: 422,
    Reason.BAD_DATA: 422,
    Reason.TOO_LARGE: 413,
    Reason.WRONG_PASSWORD: 403,
    Reason.NO_FUNDS: 409,
    Reason.NOT_FOUND: 404,
    Reason.DEADLINE_PASSED: 409,
    Reason.REFUSED: 409,
    Reason.WRONG_CHAIN: 502,
    Reason.NO_CONTRACT: 502,
    Reason.CHAIN_UNREACHABLE: 503,
    Reason.STORAGE_UNREACHABLE: 503,
    Reason.UNAVAILABLE: 503,
    Reason.INTEGRITY: 502,
    Reason.AUDIT_FAILED: 409,
    Reason.TOOL_MISSING: 500,
    Reason.OVER_BUDGET: 409,
    Reason.STORAGE_FULL: 507,
    Reason.INTERNAL: 500,
}


class Problem(BaseModel):
    """RFC 9457, with two members of our own: `code`, stable, and `hint`, what to do next."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=[str(Reason.NOT_FOUND)])
    hint: str


def problem(reason: Reason, detail: str, hint: str = "", status: int | None = None) -> JSONResponse:
    """The answer for an error."""
    code = status or STATUS[reason]
    body = Problem(
        type="about:blank",
        title=reason.value.replace("-", " ").capitalize(),
        status=code,
        detail=detail,
        code=reason.value,
        hint=hint,
    )
    return JSONResponse(body.model_dump(), status_code=code, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem document."""
    app.add_exception_handler(FairshareError, _fairshare)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


# For the OpenAPI document of every path: all errors look alike.
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error; `code` is a stable reason",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
}


async def _fairshare(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FairshareError)
    return problem(error.reason, error.message, error.hint)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return problem(Reason.BAD_INPUT, f"{name}: {first['msg']}", "see /docs for what is allowed")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    reason = Reason.NOT_FOUND if error.status_code == 404 else Reason.BAD_INPUT
    answer = problem(reason, str(error.detail), "see /docs for what there is", error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return problem(Reason.INTERNAL, "something went wrong inside", "see the server's log")
