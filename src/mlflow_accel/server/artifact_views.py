"""Artifacts over HTTP: the bytes come from, and go to, ``mlflow_accel.artifacts``; the rest of an answer is upstream's.

Upstream answers in two forms: Flask's, and FastAPI's on the routes through which an artifact's bytes pass, where its
default server has them in front of Flask's. Either form is made by upstream's own code, and so is every refusal.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import posixpath
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

from flask import Response, current_app, request
from mlflow.exceptions import MlflowException
from mlflow.protos.mlflow_artifacts_pb2 import UploadArtifact
from mlflow.server import handlers as upstream
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.mime_type_utils import _guess_mime_type
from mlflow.utils.uri import validate_path_is_safe
from starlette.responses import FileResponse, JSONResponse
from starlette.responses import Response as StarletteResponse
from werkzeug.exceptions import HTTPException

from mlflow_accel import artifacts
from mlflow_accel.artifacts import Artifact, files
from mlflow_accel.server import asgi_answers, request_body

View = Callable[..., Any]

_logger = logging.getLogger(__name__)


def download(original: View) -> View:
    """Send an artifact through the proxy, in FastAPI's form where upstream's default server has it."""
    # Without what puts its errors into Flask's form.
    unwrapped: View = original.__wrapped__  # type: ignore[attr-defined]

    @upstream.catch_mlflow_exception  # type: ignore[untyped-decorator]
    @upstream._disable_unless_serve_artifacts  # type: ignore[untyped-decorator]
    def flask_view(artifact_path: str) -> Any:
        return upstream._send_artifact(*_place(artifact_path))

    @functools.wraps(original)
    def view(artifact_path: str) -> Any:
        if request.method != "GET" or _is_prefixed():
            return flask_view(artifact_path)
        return _native(functools.partial(_download, unwrapped), artifact_path)

    return view


def upload(original: View) -> View:
    """Store an artifact through the proxy, in FastAPI's form where upstream's default server has it."""
    # Without what puts its errors into Flask's form.
    unwrapped: View = original.__wrapped__  # type: ignore[attr-defined]

    @upstream.catch_mlflow_exception  # type: ignore[untyped-decorator]
    @upstream._disable_unless_serve_artifacts  # type: ignore[untyped-decorator]
    def flask_view(artifact_path: str) -> Any:
        if _stored(artifact_path):
            return upstream._wrap_response(UploadArtifact.Response())
        return unwrapped(artifact_path)

    @functools.wraps(original)
    def view(artifact_path: str) -> Any:
        if _is_prefixed():
            return flask_view(artifact_path)
        return _native(functools.partial(_upload, unwrapped), artifact_path)

    return view


def send_artifact(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Send an artifact of a run, a model version or a logged model from where it is stored."""

    @functools.wraps(original)
    def send(artifact_repository: Any, path: str) -> Any:
        artifact = artifacts.find(artifact_repository, path)
        return original(artifact_repository, path) if artifact is None else _flask_form(artifact, path)

    return send


def file_response(original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Read the file that upstream's answer is made of in threads, in larger pieces."""

    @functools.wraps(original)
    def respond(file_path: str, artifact_name: str) -> Any:
        response = original(file_path, artifact_name)
        if response.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            artifact = files.at(file_path)
            if artifact.size == _complete_length(response):
                opened, response.response = response.response, _body(response, artifact)
                opened.close()
        return response

    return respond


def _is_prefixed() -> bool:
    """Whether the routes have a static prefix, which upstream's FastAPI form of them does not know."""
    return bool(os.environ.get(upstream.STATIC_PREFIX_ENV_VAR))


def _place(artifact_path: str) -> tuple[Any, str]:
    """Return the proxy's repository and the path in it. Raises what upstream's checks raise."""
    path = upstream._get_workspace_scoped_repo_path_if_enabled(validate_path_is_safe(artifact_path))
    return upstream._get_artifact_repo_mlflow_artifacts(), path


def _stored(artifact_path: str) -> bool:
    repository, path = _place(artifact_path)
    directory, name = posixpath.split(path)
    return artifacts.write(repository, request_body.of(request.environ), name, directory or None)


def _native(answer: Callable[[str], Response], artifact_path: str) -> Response:
    """Return an answer in FastAPI's form, an error included."""
    try:
        return answer(artifact_path)
    except MlflowException as ex:
        content = json.loads(ex.serialize_as_json())
        return asgi_answers.response(JSONResponse(content, ex.get_http_status_code()))
    except HTTPException:
        raise
    except Exception:
        _logger.exception("%s %s failed", request.method, request.path)
        return Response(
            HTTPStatus.INTERNAL_SERVER_ERROR.phrase, HTTPStatus.INTERNAL_SERVER_ERROR, mimetype="text/plain"
        )


def _download(unwrapped: View, artifact_path: str) -> Response:
    from mlflow.server import artifact_router

    # Of a local store, upstream's route tells all but the bytes, and waits for nothing.
    if not upstream._is_serving_proxied_artifacts() or _is_local():
        answer = asgi_answers.returned(artifact_router.download_artifact(artifact_path))
        if not isinstance(answer, FileResponse):
            return asgi_answers.response(answer)
        return _native_form(answer, files.at(str(answer.path)))
    repository, path = _place(artifact_path)
    artifact = artifacts.find(repository, path)
    if artifact is None:
        return unwrapped(artifact_path)  # type: ignore[no-any-return]
    headers = {
        "Content-Type": _guess_mime_type(path),
        "Content-Disposition": upstream._content_disposition_attachment(posixpath.basename(path)),
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{artifact.etag}"',
    }
    return _native_form(FileResponse(path, headers=headers), artifact)


def _upload(unwrapped: View, artifact_path: str) -> Response:
    from mlflow.server import artifact_router

    if not upstream._is_serving_proxied_artifacts() or artifact_path.endswith("/"):
        return asgi_answers.response(
            asgi_answers.returned(artifact_router.upload_artifact(artifact_path, None))
        )
    if not _stored(artifact_path):
        unwrapped(artifact_path)
    return asgi_answers.response(StarletteResponse())


def _is_local() -> bool:
    return type(upstream._get_artifact_repo_mlflow_artifacts()) is LocalArtifactRepository


def _native_form(answer: FileResponse, artifact: Artifact) -> Response:
    """Return the artifact, or the ranges of it that were asked for, under the headers of ``answer``."""
    found: Any = SimpleNamespace(st_size=artifact.size, st_mtime=artifact.modified)
    answer.stat_result = found
    answer.set_stat_headers(found)
    asked = {name: request.headers[name] for name in ("Range", "If-Range") if name in request.headers}
    response = asgi_answers.response(answer, asked)
    if response.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        response.direct_passthrough = True
        several = response.mimetype == "multipart/byteranges"
        response.response = (
            _ranges(asked["Range"], response, answer, artifact) if several else _body(response, artifact)
        )
    return response


def _ranges(asked: str, response: Response, answer: FileResponse, artifact: Artifact) -> Iterator[bytes]:
    boundary = response.mimetype_params["boundary"]
    _, head = answer.generate_multipart([], boundary, artifact.size, answer.headers["Content-Type"])
    for start, stop in FileResponse._parse_range_header(asked, artifact.size):
        yield head(start, stop)
        slices = artifact.read(start, stop)
        try:
            yield from slices
        finally:
            slices.close()
        yield b"\r\n"
    yield f"--{boundary}--".encode()


def _flask_form(artifact: Artifact, path: str) -> Response:
    """Return the artifact as upstream returns the copy of it that it has made."""
    response: Response = current_app.response_class((), direct_passthrough=True)
    response.content_length = artifact.size
    response.last_modified = artifact.modified  # type: ignore[assignment]
    response.set_etag(artifact.etag or "")
    response.cache_control.no_cache = True
    response.make_conditional(request.environ, accept_ranges=True, complete_length=artifact.size)
    if response.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT) and request.method == "GET":
        response.response = _body(response, artifact)
    name = PurePosixPath(path).name
    response.headers["Content-Disposition"] = upstream._content_disposition_attachment(name)
    return upstream._response_with_file_attachment_headers(path, response)  # type: ignore[no-any-return]


def _body(response: Response, artifact: Artifact) -> Iterator[bytes]:
    """Return the bytes that the response's headers announce."""
    part = response.content_range
    return artifact.read(part.start or 0, part.stop or 0) if part.units else artifact.read(0, artifact.size)


def _complete_length(response: Response) -> int | None:
    part = response.content_range
    return part.length if part.units else response.content_length
