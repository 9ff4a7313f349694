"""Artifacts in S3: one GET per download, and uploads in parts that are sent as they arrive."""

from __future__ import annotations

import copy
import functools
import logging
import posixpath
from collections.abc import Iterable
from typing import Any

import boto3
from boto3.s3.transfer import S3Transfer
from botocore.exceptions import BotoCoreError, ClientError

from mlflow_accel.artifacts import parts
from mlflow_accel.artifacts.model import SLICE, Artifact, Slices, Source

_logger = logging.getLogger(__name__)


def load_sdk() -> None:
    """Let boto3's default session, of which upstream's clients are made, read its descriptions of S3.

    The client is thrown away; it is told its keys, so that nobody is asked for any.
    """
    boto3.client("s3", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-").close()


def find(repository: Any, path: str) -> Artifact | None:
    """Return the object, unless it is missing, a directory's marker, or not ours to read."""
    bucket, root = repository.parse_s3_compliant_uri(repository.artifact_uri)
    place = {"Bucket": bucket, "Key": posixpath.join(root, path), **repository._bucket_owner_params}
    client = repository._get_s3_client()
    if path.endswith("/"):
        return None
    try:
        head = client.head_object(**place)
    except (BotoCoreError, ClientError):
        return None
    read = functools.partial(_read, client, place, head["ETag"], head["ContentLength"])
    return Artifact(head["ContentLength"], head["LastModified"].timestamp(), head["ETag"].strip('"'), read)


def _read(client: Any, place: dict[str, str], etag: str, size: int, start: int, stop: int) -> Slices:
    part = {} if stop - start == size else {"Range": f"bytes={start}-{stop - 1}"}
    body = client.get_object(**place, **part, IfMatch=etag)["Body"]
    return Slices(lambda left: body.read(min(left, SLICE)), stop - start, body.close)


def write(repository: Any, source: Source, name: str, directory: str | None) -> None:
    """Let upstream's method choose the key and the options, and upload from ``source`` where it names a file."""
    stand_in = copy.copy(repository)
    stand_in._get_s3_client = lambda: _Uploader(repository._get_s3_client(), source)
    stand_in.log_artifact(f"/{name}", directory)


class _Uploader:
    """What upstream's method is given for a client."""

    def __init__(self, client: Any, source: Source) -> None:
        self._client, self._source = client, source

    def upload_file(self, Filename: str, Bucket: str, Key: str, ExtraArgs: dict[str, Any]) -> None:
        if unknown := ExtraArgs.keys() - set(S3Transfer.ALLOWED_UPLOAD_ARGS):
            raise ValueError(f"not options of an S3 upload: {', '.join(sorted(unknown))}")
        place = {"Bucket": Bucket, "Key": Key}
        whole, pieces = parts.split(self._source)
        if whole is not None:
            self._call("put_object", ExtraArgs, {**place, "Body": whole})
            return
        config = self._client.meta.config
        if getattr(config, "request_checksum_calculation", "") == "when_supported":
            # As boto3's own transfers: botocore adds it to each part, and S3 wants it announced.
            ExtraArgs = {"ChecksumAlgorithm": "CRC32", **ExtraArgs}
        created = self._call("create_multipart_upload", ExtraArgs, place)
        upload = {**place, "UploadId": created["UploadId"]}
        try:
            sent = parts.send(pieces, functools.partial(self._send, ExtraArgs, upload))
            self._call("complete_multipart_upload", ExtraArgs, {**upload, "MultipartUpload": {"Parts": sent}})
        except BaseException:
            self._abort(ExtraArgs, upload)
            raise

    def _send(
        self, extra: dict[str, Any], upload: dict[str, Any], number: int, data: bytearray
    ) -> dict[str, Any]:
        done = self._call("upload_part", extra, {**upload, "PartNumber": number, "Body": data})
        checksums = {name: value for name, value in done.items() if name.startswith("Checksum")}
        return {"PartNumber": number, "ETag": done["ETag"], **checksums}

    def _abort(self, extra: dict[str, Any], upload: dict[str, Any]) -> None:
        try:
            self._call("abort_multipart_upload", extra, upload)
        except (BotoCoreError, ClientError):
            _logger.warning(
                "The parts of %(Bucket)s/%(Key)s, upload %(UploadId)s, are left in S3", upload, exc_info=True
            )

    def _call(self, name: str, extra: dict[str, Any], own: dict[str, Any]) -> Any:
        """Call a method with those of the upload's options that it knows."""
        operation = self._client.meta.method_to_api_mapping[name]
        known: Iterable[str] = self._client.meta.service_model.operation_model(operation).input_shape.members
        return getattr(self._client, name)(**{key: extra[key] for key in extra if key in known}, **own)
