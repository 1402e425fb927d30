"""The server's answers for errors: Convex's code, and a sentence."""

from __future__ import annotations

import sqlite3

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from supavex.deployment.server.guard import Json
from supavex.errors import DISK_ERRORS, SupavexError, database_error, file_error, of_database_file

_CODES = {
    "BadDeployKey": 401,
    "InvalidAuthHeader": 401,
    "NoAuthProvider": 401,
    "StorageTokenExpired": 401,
    "StorageTokenInvalid": 401,
    "Unauthenticated": 401,
    "RequestTooLarge": 413,
    "ExportNotFound": 404,
    "RaceDetected": 409,
}


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SupavexError)
    message = error.message + (f" {error.hint}" if error.hint else "")
    return Json({"code": error.code, "message": message}, _CODES.get(error.code, 400))


async def _on_database(request: Request, error: Exception) -> Response:
    if not of_database_file(error):
        raise error
    return await _on_error(request, database_error(error))


async def _on_file(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno not in DISK_ERRORS:
        raise error
    # The path of a file of this machine must not reach clients.
    return await _on_error(request, file_error(error, "CannotWrite", "the deployment"))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Json({"code": "BadRequest", "message": str(error.detail)}, error.status_code)


async def _on_gone(request: Request, error: Exception) -> Response:
    # The client has disconnected.
    return Response(status_code=400)


#: The answer to each kind of error.
ERROR_ANSWERS: dict[type[Exception], ExceptionHandler] = {
    SupavexError: _on_error,
    HTTPException: _on_http,
    ClientDisconnect: _on_gone,
    sqlite3.DatabaseError: _on_database,
    OSError: _on_file,
}
