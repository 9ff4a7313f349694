"""The compiled twin of ``_arrays_py``, which is its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef int32_t TEXT = 25, INT8 = 20, INT4 = 23, FLOAT8 = 701, BOOL = 16
cdef Py_ssize_t HEAD = 20

# Bytes are shifted, not cast: the loops are the same on every machine.


cdef inline char* _put32(char* at, uint32_t value) noexcept nogil:
    at[0] = <char>(value >> 24)
    at[1] = <char>(value >> 16)
    at[2] = <char>(value >> 8)
    at[3] = <char>value
    return at + 4


cdef inline char* _put64(char* at, uint64_t value) noexcept nogil:
    return _put32(_put32(at, <uint32_t>(value >> 32)), <uint32_t>value)


cdef char* _head(char* at, int32_t element_type, Py_ssize_t count, bint nulls) noexcept nogil:
    if count == 0:
        return _put32(_put32(_put32(at, 0), 0), element_type)
    return _put32(_put32(_put32(_put32(_put32(at, 1), nulls), element_type), <uint32_t>count), 1)


cdef Py_ssize_t _nulls(list column) except -1:
    cdef Py_ssize_t found = 0
    for item in column:
        if item is None:
            found += 1
    return found


cdef object _allocated(list column, Py_ssize_t width, Py_ssize_t nulls):
    cdef Py_ssize_t count = len(column)
    if count == 0:
        return PyBytes_FromStringAndSize(NULL, 12)
    return PyBytes_FromStringAndSize(NULL, HEAD + 4 * count + width * (count - nulls))


def texts(list column not None):
    cdef Py_ssize_t size = 0, total = HEAD, count = len(column)
    cdef bint nulls = False
    cdef const char* data
    cdef char* at
    for text in column:
        total += 4
        if text is None:
            nulls = True
        else:
            PyUnicode_AsUTF8AndSize(text, &size)
            total += size
    result = PyBytes_FromStringAndSize(NULL, total if count else 12)
    at = _head(PyBytes_AS_STRING(result), TEXT, count, nulls)
    for text in column:
        if text is None:
            at = _put32(at, <uint32_t>-1)
        else:
            data = PyUnicode_AsUTF8AndSize(text, &size)
            at = _put32(at, <uint32_t>size)
            memcpy(at, data, size)
            at += size
    return result


def int64s(list column not None):
    cdef Py_ssize_t nulls = _nulls(column)
    cdef int64_t number
    result = _allocated(column, 8, nulls)
    cdef char* at = _head(PyBytes_AS_STRING(result), INT8, len(column), nulls > 0)
    for item in column:
        if item is None:
            at = _put32(at, <uint32_t>-1)
        else:
            number = item
            at = _put64(_put32(at, 8), <uint64_t>number)
    return result


def int32s(list column not None):
    cdef Py_ssize_t nulls = _nulls(column)
    cdef int32_t number
    result = _allocated(column, 4, nulls)
    cdef char* at = _head(PyBytes_AS_STRING(result), INT4, len(column), nulls > 0)
    for item in column:
        if item is None:
            at = _put32(at, <uint32_t>-1)
        else:
            number = item
            at = _put32(_put32(at, 4), <uint32_t>number)
    return result


def doubles(list column not None):
    cdef Py_ssize_t nulls = _nulls(column)
    cdef double number
    cdef uint64_t bits
    result = _allocated(column, 8, nulls)
    cdef char* at = _head(PyBytes_AS_STRING(result), FLOAT8, len(column), nulls > 0)
    for item in column:
        if item is None:
            at = _put32(at, <uint32_t>-1)
        else:
            number = item
            memcpy(&bits, &number, 8)
            at = _put64(_put32(at, 8), bits)
    return result


def booleans(list column not None):
    cdef Py_ssize_t nulls = _nulls(column)
    result = _allocated(column, 1, nulls)
    cdef char* at = _head(PyBytes_AS_STRING(result), BOOL, len(column), nulls > 0)
    for item in column:
        if item is None:
            at = _put32(at, <uint32_t>-1)
        else:
            at = _put32(at, 1)
            at[0] = 1 if item else 0
            at += 1
    return result
