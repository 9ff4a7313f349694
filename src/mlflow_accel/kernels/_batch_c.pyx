"""The compiled twin of ``_batch_py``, which is its specification."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.ref cimport PyObject

from mlflow_accel.kernels import _batch_common
from mlflow_accel.kernels._batch_common import Batch

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    Py_ssize_t PyUnicode_FindChar(
        object text, Py_UCS4 character, Py_ssize_t start, Py_ssize_t end, int direction
    ) except -2
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1
    double PyFloat_AS_DOUBLE(object number)

cdef Py_ssize_t MAX_METRICS = _batch_common.MAX_METRICS
cdef Py_ssize_t MAX_PARAMS = _batch_common.MAX_PARAMS
cdef Py_ssize_t MAX_TAGS = _batch_common.MAX_TAGS
cdef Py_ssize_t MAX_ENTITIES = _batch_common.MAX_ENTITIES
cdef Py_ssize_t MAX_KEY = _batch_common.MAX_KEY
cdef Py_ssize_t MAX_PARAM_VALUE = _batch_common.MAX_PARAM_VALUE
cdef Py_ssize_t MAX_TAG_VALUE = _batch_common.MAX_TAG_VALUE
cdef Py_ssize_t MAX_MODEL_ID = _batch_common.MAX_MODEL_ID
cdef Py_ssize_t MAX_DATASET_NAME = _batch_common.MAX_DATASET_NAME
cdef Py_ssize_t MAX_DATASET_DIGEST = _batch_common.MAX_DATASET_DIGEST
cdef str RUN_NAME_TAG = _batch_common.RUN_NAME_TAG
cdef double MAX_VALUE = _batch_common.MAX_VALUE

# What a part of a key may consist of: one entry per byte, so that a key costs one look-up per character.
cdef unsigned char[256] IN_KEY
for _code in range(256):
    IN_KEY[_code] = _code < 128 and (chr(_code).isalnum() or chr(_code) in "_.- :")

# The helpers test for None where C would follow it: a Cython argument may be None whatever its type says.


cdef inline bint _is_part(const unsigned char* part, Py_ssize_t size) noexcept:
    if size == 0 or (size == 1 and part[0] == b"."):
        return False
    return not (size == 2 and part[0] == b"." and part[1] == b".")


cdef bint _is_key(str text) except -1:
    cdef Py_ssize_t size, i, start = 0
    cdef const unsigned char* data
    if text is None:
        raise TypeError("a key is None")
    size = PyUnicode_GET_LENGTH(text)
    if size > MAX_KEY or not PyUnicode_IS_COMPACT_ASCII(text):
        return False
    data = <const unsigned char*>PyUnicode_DATA(text)
    if size >= 2 and data[0] == b"." and data[1] == b".":
        return False
    for i in range(size):
        if data[i] == b"/":
            if not _is_part(data + start, i - start):
                return False
            start = i + 1
        elif not IN_KEY[data[i]]:
            return False
    return _is_part(data + start, size - start)


cpdef bint is_run_id(str text) except -1:
    cdef Py_ssize_t i
    cdef const unsigned char* data
    if text is None:
        raise TypeError("a run id is None")
    if PyUnicode_GET_LENGTH(text) != 32 or not PyUnicode_IS_COMPACT_ASCII(text):
        return False
    data = <const unsigned char*>PyUnicode_DATA(text)
    for i in range(32):
        if not (b"0" <= data[i] <= b"9" or b"a" <= data[i] <= b"f"):
            return False
    return True


cpdef bint is_text(str text, Py_ssize_t limit) except -1:
    cdef Py_ssize_t size
    if text is None:
        raise TypeError("a text is None")
    size = PyUnicode_GET_LENGTH(text)
    return size == 0 or (size <= limit and PyUnicode_FindChar(text, 0, 0, size, 1) == -1)


cdef object _from_digits(str text):
    """Return the integer, of any size up to 19 digits, or None."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    cdef Py_ssize_t i, start = 0
    cdef const unsigned char* data
    if size == 0 or not PyUnicode_IS_COMPACT_ASCII(text):
        return None
    data = <const unsigned char*>PyUnicode_DATA(text)
    if data[0] == b"-":
        start = 1
    if not 1 <= size - start <= 19:
        return None
    for i in range(start, size):
        if not b"0" <= data[i] <= b"9":
            return None
    return int(text)


cdef inline object _int64(object number, long long* out):
    """Return the integer, and write it to ``out``; None if it is not one of 64 bits."""
    cdef int overflow = 0
    if type(number) is str:
        number = _from_digits(<str>number)
        if number is None:
            return None
    out[0] = PyLong_AsLongLongAndOverflow(number, &overflow)
    return None if overflow else number


def int64(object number not None):
    cdef long long out = 0
    return _int64(number, &out)


cpdef list plain_pairs(list pairs, Py_ssize_t count, Py_ssize_t limit):
    cdef str key, value
    cdef dict found
    if pairs is None:
        raise TypeError("the pairs are None")
    if len(pairs) > count:
        return None
    if not pairs:
        return []
    found = {}
    for pair in pairs:
        key = pair.key
        value = pair.value
        if not _is_key(key) or not is_text(value, limit) or key in found:
            return None
        found[key] = value
    return list(found.items())


def columns(str run_id not None, list metrics not None, list params not None, list tags not None):
    cdef Py_ssize_t count = len(metrics)
    cdef Py_ssize_t entities = count + len(params) + len(tags)
    cdef long long timestamp_ms = 0, step_number = 0
    cdef double double_value
    cdef bint is_nan
    cdef str key, inner, model_id, name, digest
    cdef object value, timestamp, step
    cdef list keys, values, timestamps, steps, nans, param_pairs, tag_pairs
    cdef list model_ids = None, dataset_names = None, dataset_digests = None
    cdef set model_rows = None
    cdef Py_ssize_t before
    if not is_run_id(run_id):
        return None
    if not 0 < entities <= MAX_ENTITIES or count > MAX_METRICS:
        return None
    param_pairs = plain_pairs(params, MAX_PARAMS, MAX_PARAM_VALUE)
    if param_pairs is None:
        return None
    tag_pairs = plain_pairs(tags, MAX_TAGS, MAX_TAG_VALUE)
    if tag_pairs is None:
        return None
    for pair in tag_pairs:
        if (<tuple>pair)[0] == RUN_NAME_TAG:
            return None

    keys = []
    values = []
    timestamps = []
    steps = []
    nans = []
    for metric in metrics:
        key = metric.key
        if not _is_key(key):
            return None

        is_nan = False
        value = metric.value
        if type(value) is float:
            double_value = PyFloat_AS_DOUBLE(value)
            if not -MAX_VALUE <= double_value <= MAX_VALUE:
                return None
        elif type(value) is str:
            if value == "NaN":
                is_nan = True
                value = 0.0
            elif value == "Infinity":
                value = MAX_VALUE
            elif value == "-Infinity":
                value = -MAX_VALUE
            else:
                return None
        else:
            try:
                value = float(value)
            except OverflowError:
                return None

        timestamp = _int64(metric.timestamp, &timestamp_ms)
        if timestamp is None or timestamp_ms < 0:
            return None
        step = _int64(metric.step, &step_number)
        if step is None:
            return None
        inner = metric.run_id
        if inner is not run_id and inner and inner != run_id:
            return None

        name = metric.dataset_name
        digest = metric.dataset_digest
        if (not name) != (not digest):
            return None
        if not is_text(name, MAX_DATASET_NAME) or not is_text(digest, MAX_DATASET_DIGEST):
            return None
        model_id = metric.model_id
        if not is_text(model_id, MAX_MODEL_ID):
            return None
        if model_id:
            if model_rows is None:
                before = len(keys)
                model_rows = set()
                model_ids = [None] * before
                dataset_names = [None] * before
                dataset_digests = [None] * before
            row = (model_id, key, timestamp, step)
            if row in model_rows:
                return None
            model_rows.add(row)
        if model_rows is not None:
            model_ids.append(model_id or None)
            dataset_names.append((name or None) if model_id else None)
            dataset_digests.append((digest or None) if model_id else None)

        keys.append(key)
        values.append(value)
        timestamps.append(timestamp)
        steps.append(step)
        nans.append(is_nan)
    return Batch(
        run_id,
        keys,
        values,
        timestamps,
        steps,
        nans,
        model_ids,
        dataset_names,
        dataset_digests,
        param_pairs,
        tag_pairs,
    )


cdef inline bint _is_newer(list values, list timestamps, list steps, Py_ssize_t i, Py_ssize_t j) except -1:
    cdef long long a = steps[i], b = steps[j]
    if a != b:
        return a > b
    a = timestamps[i]
    b = timestamps[j]
    if a != b:
        return a > b
    return <double>values[i] > <double>values[j]


def newest(
    list run_ids not None,
    list keys not None,
    list values not None,
    list timestamps not None,
    list steps not None,
):
    cdef Py_ssize_t i, j, count = len(keys)
    cdef dict by_run = {}
    cdef dict by_key = None
    cdef object run_id, key, last = None
    cdef PyObject* found
    cdef list positions = []
    if not len(run_ids) == len(values) == len(timestamps) == len(steps) == count:
        raise ValueError("the columns differ in length")
    for i in range(count):
        run_id = run_ids[i]
        # The metrics of a batch stand together and share one text: mostly, the run is that of the metric before.
        if run_id is not last:
            last = run_id
            by_key = by_run.get(run_id)
            if by_key is None:
                by_key = by_run[run_id] = {}
        key = keys[i]
        found = PyDict_GetItemWithError(by_key, key)
        if found is NULL:
            by_key[key] = i
        else:
            j = <object>found
            if _is_newer(values, timestamps, steps, i, j):
                by_key[key] = i
    for run_id in sorted(by_run):
        by_key = by_run[run_id]
        for key in sorted(by_key):
            positions.append(by_key[key])
    return positions
