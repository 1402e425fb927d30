"""The operations that a running function can request, by the names of ``convex/server``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supavex.deployment.functions import scheduling, storage, syscalls
from supavex.deployment.functions.syscalls import Arguments, Frame, parsed
from supavex.errors import SupavexError

#: The functions that answer operations: from a frame and parsed arguments to JSON text.
OPERATIONS: Mapping[str, Callable[[Frame, Arguments], str]] = {
    "next": syscalls.query_next,
    "1.0/get": syscalls.get,
    "1.0/queryPage": syscalls.query_page,
    "1.0/count": syscalls.count,
    "1.0/insert": syscalls.insert,
    "1.0/shallowMerge": syscalls.patch,
    "1.0/replace": syscalls.replace,
    "1.0/remove": syscalls.remove,
    "1.0/getUserIdentity": syscalls.user_identity,
    "1.0/getFunctionMetadata": syscalls.function_metadata,
    "1.0/getDeploymentMetadata": syscalls.deployment_metadata,
    "1.0/getRequestMetadata": syscalls.request_metadata,
    "1.0/createFunctionHandle": syscalls.function_handle,
    "1.0/auditLog": syscalls.audit_log,
    "1.0/getTransactionMetrics": syscalls.transaction_metrics,
    "1.0/schedule": scheduling.schedule,
    "1.0/cancel_job": scheduling.cancel,
    "1.0/storageGetUrl": storage.get_url,
    "1.0/storageGetMetadata": storage.get_metadata,
    "1.0/storageGenerateUploadUrl": storage.generate_upload_url,
    "1.0/storageDelete": storage.delete,
    "1.0/storageStore": storage.store_in_mutation,
}


def answer(frame: Frame, operation: str, text: str) -> str:
    """The answer to one operation. Raises :class:`SupavexError` with the error to throw in the function."""
    found = OPERATIONS.get(operation)
    if found is None:
        raise SupavexError("UnknownAsyncOperation", f"Unknown async operation {operation}")
    if '{"$commitTs":null}' in text:
        raise SupavexError(
            "NotSupportedHere", "Not supported here: `db.vars.commitTs`, the time of a commit in a value."
        )
    return found(frame, parsed(operation, text))
