"""The compiled twin of ``_rows_py``, which is its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from mlflow_accel.kernels._rows_common import Kind, width

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    long long PyLong_AsLongLong(object number) except? -1

cdef extern from *:
    """
    typedef unsigned __int128 uint128;
    """
    ctypedef unsigned long long uint128

cdef enum:
    TEXT = 0
    OPTIONAL = 1
    FILLED = 2
    INTEGER = 3
    NONZERO = 4
    DIGITS = 5
    DOUBLE = 6
    FINITE = 7
    JSON = 8
    OBJECT = 9
    END = 10
    LIST = 11

assert [kind.value for kind in Kind] == list(range(12)), "the kinds are those of _rows_common"

ctypedef const char* characters

cdef Py_ssize_t MAX_COLUMNS = 16

# What a byte of a text is written as, where it is not itself.
cdef dict _SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
cdef list _ESCAPES = [
    _SHORT.get(code, f"\\u{code:04x}").encode() if code < 32 or code in _SHORT else None for code in range(256)
]
cdef unsigned char[256] IS_ODD
for _code in range(256):
    IS_ODD[_code] = _ESCAPES[_code] is not None

# Powers of ten as 128-bit fractions, for `_shortest`: 10**k is g * 2**(floor(log2(10**k)) - 127), rounded up.
cdef int FIRST_POWER = -292
cdef int LAST_POWER = 324
cdef uint64_t[617][2] POWERS


cdef int _fill_powers() except -1:
    cdef int i
    cdef object scaled
    for i in range(LAST_POWER - FIRST_POWER + 1):
        k = FIRST_POWER + i
        if k >= 0:
            power = 10**k
            shift = power.bit_length() - 128
            scaled = -(-power >> shift) if shift > 0 else power << -shift
        else:
            power = 10**-k
            # 2**(127 + b) / 10**-k lies between 2**127 and 2**128 for this b.
            shift = 127 + power.bit_length()
            scaled = -(-(1 << shift) // power)
        assert scaled.bit_length() == 128
        POWERS[i][0] = <uint64_t>(scaled >> 64)
        POWERS[i][1] = <uint64_t>(scaled & 0xFFFFFFFFFFFFFFFF)
    return 0


_fill_powers()


cdef class _Buffer:
    """Bytes that grow."""

    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __cinit__(self):
        self.room = 4096
        self.data = <char*>PyMem_Malloc(self.room)
        if self.data is NULL:
            raise MemoryError()

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self.room * 2
        cdef char* data
        while room < self.size + more:
            room *= 2
        data = <char*>PyMem_Realloc(self.data, room)
        if data is NULL:
            raise MemoryError()
        self.data = data
        self.room = room
        return 0

    cdef inline int reserve(self, Py_ssize_t more) except -1:
        if self.size + more > self.room:
            self.grow(more)
        return 0

    cdef inline int put(self, char byte) except -1:
        self.reserve(1)
        self.data[self.size] = byte
        self.size += 1
        return 0

    cdef inline int extend(self, const char* data, Py_ssize_t size) except -1:
        self.reserve(size)
        memcpy(self.data + self.size, data, size)
        self.size += size
        return 0

    cdef int put_text(self, const char* data, Py_ssize_t size) except -1:
        """Write UTF-8 as a JSON text."""
        cdef Py_ssize_t i, start = 0
        cdef bytes escape
        self.reserve(size + 2)
        self.put(b'"')
        for i in range(size):
            if IS_ODD[<unsigned char>data[i]]:
                escape = <bytes>_ESCAPES[<unsigned char>data[i]]
                self.extend(data + start, i - start)
                self.extend(PyBytes_AS_STRING(escape), PyBytes_GET_SIZE(escape))
                start = i + 1
        self.extend(data + start, size - start)
        self.put(b'"')
        return 0

    cdef int put_integer(self, int64_t number) except -1:
        cdef char[24] digits
        cdef int at = 24
        cdef uint64_t rest = <uint64_t>number
        if number < 0:
            rest = 0 - rest
        while True:
            at -= 1
            digits[at] = <char>(48 + rest % 10)
            rest //= 10
            if rest == 0:
                break
        if number < 0:
            at -= 1
            digits[at] = b"-"
        return self.extend(digits + at, 24 - at)

    cdef int put_double(self, double value) except -1:
        """Write a double in the fewest digits that are read as the same double, in the form of Python's ``repr``."""
        cdef uint64_t bits, fraction, digits
        cdef int exponent, count, point, i
        cdef char[24] text
        memcpy(&bits, &value, 8)
        exponent = <int>(bits >> 52) & 0x7FF
        fraction = bits & 0xFFFFFFFFFFFFF
        if exponent == 0x7FF:
            if fraction:
                return self.extend(b'"NaN"', 5)
            if bits >> 63:
                return self.extend(b'"-Infinity"', 11)
            return self.extend(b'"Infinity"', 10)
        self.reserve(32)
        if bits >> 63:
            self.put(b"-")
        if exponent == 0 and fraction == 0:
            return self.extend(b"0.0", 3)
        digits = _shortest(fraction, exponent, &point)
        while digits % 10 == 0:
            digits //= 10
            point += 1
        count = 0
        while digits:
            count += 1
            text[24 - count] = <char>(48 + digits % 10)
            digits //= 10
        # The value is 0.d1d2.. * 10**point from here on.
        point += count
        if -4 < point <= 16:
            if point <= 0:
                self.extend(b"0.", 2)
                for i in range(-point):
                    self.put(b"0")
                return self.extend(text + 24 - count, count)
            if point >= count:
                self.extend(text + 24 - count, count)
                for i in range(point - count):
                    self.put(b"0")
                return self.extend(b".0", 2)
            self.extend(text + 24 - count, point)
            self.put(b".")
            return self.extend(text + 24 - count + point, count - point)
        self.put(text[24 - count])
        if count > 1:
            self.put(b".")
            self.extend(text + 25 - count, count - 1)
        self.put(b"e")
        point -= 1
        self.put(b"-" if point < 0 else b"+")
        if point < 0:
            point = -point
        if point < 10:
            self.put(b"0")
        return self.put_integer(point)


cdef inline uint64_t _odd_product(uint64_t high, uint64_t low, uint64_t factor) noexcept:
    """Return the upper 64 bits of the product with a 128-bit number; what is cut off is kept as an odd last bit."""
    cdef uint128 first = <uint128>factor * low
    cdef uint128 second = <uint128>factor * high
    cdef uint64_t middle = <uint64_t>second + <uint64_t>(first >> 64)
    cdef uint64_t top = <uint64_t>(second >> 64) + (1 if middle < <uint64_t>second else 0)
    return top | (1 if middle > 1 else 0)


cdef uint64_t _shortest(uint64_t fraction, int exponent, int* power) noexcept:
    """Return the shortest digits, as an integer, of ``digits * 10**power`` within the double's rounding interval.

    R. Giulietti's Schubfach: the bounds of the interval are scaled by a power of ten so that it holds a few integers,
    and the best of four is taken. The double is finite, positive and not zero.
    """
    cdef uint64_t c, left, middle, right, lower, upper, s, tens
    cdef int q, k, h, i
    cdef bint closer = fraction == 0 and exponent > 1
    cdef bint below, above
    if exponent:
        c = fraction | (<uint64_t>1 << 52)
        q = exponent - 1075
        if -53 < q <= 0 and c & ((<uint64_t>1 << -q) - 1) == 0:
            power[0] = 0
            return c >> -q
    else:
        c = fraction
        q = -1074
    k = (q * 1262611 - (524031 if closer else 0)) >> 22
    h = q + ((-k * 1741647) >> 19) + 1
    i = -k - FIRST_POWER
    left = _odd_product(POWERS[i][0], POWERS[i][1], (4 * c - 2 + closer) << h)
    middle = _odd_product(POWERS[i][0], POWERS[i][1], (4 * c) << h)
    right = _odd_product(POWERS[i][0], POWERS[i][1], (4 * c + 2) << h)
    # The bounds themselves are read as this double if its last bit is even.
    lower = left + (c & 1)
    upper = right - (c & 1)
    s = middle // 4
    if s >= 10:
        tens = s // 10
        below = lower <= 40 * tens
        above = 40 * tens + 40 <= upper
        if below != above:
            power[0] = k + 1
            return tens + above
    power[0] = k
    below = lower <= 4 * s
    above = 4 * s + 4 <= upper
    if below != above:
        return s + above
    if middle > 4 * s + 2 or (middle == 4 * s + 2 and s & 1):
        return s + 1
    return s


cdef class Shape:
    """A description of objects, made ready once."""

    cdef list _kept  # the texts and shapes that the arrays point to
    cdef Py_ssize_t count
    cdef readonly Py_ssize_t width
    cdef int[64] kinds
    cdef int[64] columns
    cdef characters[64] names
    cdef Py_ssize_t[64] sizes

    def __init__(self, tuple fields not None):
        cdef Py_ssize_t i
        cdef bytes name
        if len(fields) > 64:
            raise ValueError("too many fields")
        self._kept = []
        self.count = len(fields)
        self.width = width(fields)
        for i in range(self.count):
            field = fields[i]
            name = b"" if field.kind == END else f'"{field.name}":'.encode()
            inner = Shape(field.fields) if field.kind == LIST else None
            if inner is not None and (<Shape>inner).width > MAX_COLUMNS:
                raise ValueError("too many columns")
            self._kept.append((name, inner))
            self.kinds[i] = field.kind
            self.columns[i] = field.column
            self.names[i] = PyBytes_AS_STRING(name)
            self.sizes[i] = PyBytes_GET_SIZE(name)

    cdef Shape inner(self, Py_ssize_t i):
        return <Shape>(<tuple>self._kept[i])[1]


cdef struct Cell:
    const char* data  # NULL: there is none
    Py_ssize_t size


cdef inline uint32_t _big32(const char* data) noexcept:
    cdef const unsigned char* d = <const unsigned char*>data
    return (<uint32_t>d[0] << 24) | (<uint32_t>d[1] << 16) | (<uint32_t>d[2] << 8) | d[3]


cdef inline uint64_t _big64(const char* data) noexcept:
    return (<uint64_t>_big32(data) << 32) | _big32(data + 4)


cdef inline int64_t _integer(Cell cell) except? -1:
    if cell.size == 8:
        return <int64_t>_big64(cell.data)
    if cell.size == 4:
        return <int32_t>_big32(cell.data)
    if cell.size == 2:
        return <int64_t>(<signed char>cell.data[0]) * 256 + <unsigned char>cell.data[1]
    raise ValueError("an integer is expected")


cdef inline int _begin(_Buffer out, Shape shape, Py_ssize_t i, bint bare) except -1:
    if not bare:
        out.put(b",")
    return out.extend(shape.names[i], shape.sizes[i])


cdef int _missing() except -1:
    raise ValueError("a value is missing")


cdef bint _binary_cell(_Buffer out, Shape shape, Py_ssize_t i, Cell cell, bint bare) except -1:
    """Write a member from PostgreSQL's binary form; return whether it was written."""
    cdef int kind = shape.kinds[i]
    cdef int64_t number
    cdef uint64_t bits
    cdef double value
    if cell.data is NULL:
        if kind == DOUBLE:
            _begin(out, shape, i, bare)
            out.extend(b'"NaN"', 5)
            return True
        if kind == OPTIONAL or kind == FILLED or kind == NONZERO or kind == JSON:
            return False
        _missing()
    if kind == TEXT or kind == OPTIONAL or kind == FILLED:
        if kind == FILLED and cell.size == 0:
            return False
        _begin(out, shape, i, bare)
        out.put_text(cell.data, cell.size)
    elif kind == DOUBLE or kind == FINITE:
        if cell.size != 8:
            raise ValueError("a double is expected")
        bits = _big64(cell.data)
        memcpy(&value, &bits, 8)
        if kind == FINITE and not isfinite(value):
            raise ValueError("a finite number is expected")
        _begin(out, shape, i, bare)
        out.put_double(value)
    elif kind == JSON:
        _begin(out, shape, i, bare)
        out.put(b"[")
        out.extend(cell.data, cell.size)
        out.put(b"]")
    else:
        number = _integer(cell)
        if kind == NONZERO and number == 0:
            return False
        _begin(out, shape, i, bare)
        if kind == DIGITS:
            out.put(b'"')
        out.put_integer(number)
        if kind == DIGITS:
            out.put(b'"')
    return True


cdef bint _value(_Buffer out, Shape shape, Py_ssize_t i, object value, bint bare) except -1:
    """Write a member from Python's value; return whether it was written."""
    cdef int kind = shape.kinds[i]
    cdef Py_ssize_t size
    cdef const char* data
    cdef int64_t number
    cdef double real
    if value is None:
        if kind == DOUBLE:
            _begin(out, shape, i, bare)
            out.extend(b'"NaN"', 5)
            return True
        if kind == OPTIONAL or kind == FILLED or kind == NONZERO or kind == JSON:
            return False
        _missing()
    if kind == TEXT or kind == OPTIONAL or kind == FILLED:
        if type(value) is not str:
            raise ValueError("a text is expected")
        data = PyUnicode_AsUTF8AndSize(value, &size)
        if kind == FILLED and size == 0:
            return False
        _begin(out, shape, i, bare)
        out.put_text(data, size)
    elif kind == DOUBLE or kind == FINITE:
        real = float(value)
        if kind == FINITE and not isfinite(real):
            raise ValueError("a finite number is expected")
        _begin(out, shape, i, bare)
        out.put_double(real)
    elif kind == JSON:
        if type(value) is not str:
            raise ValueError("a text is expected")
        data = PyUnicode_AsUTF8AndSize(value, &size)
        _begin(out, shape, i, bare)
        out.put(b"[")
        out.extend(data, size)
        out.put(b"]")
    else:
        if type(value) is not int:
            raise ValueError("an integer is expected")
        number = PyLong_AsLongLong(value)
        if kind == NONZERO and number == 0:
            return False
        _begin(out, shape, i, bare)
        if kind == DIGITS:
            out.put(b'"')
        out.put_integer(number)
        if kind == DIGITS:
            out.put(b'"')
    return True


cdef bint _list(_Buffer out, Shape shape, Py_ssize_t i, object row, bint bare) except -1:
    """Write a list's objects from its columns; return whether there were any."""
    cdef Shape inner = shape.inner(i)
    cdef Py_ssize_t first = shape.columns[i], start = out.size
    if row[first] is None:
        return False
    _begin(out, shape, i, bare)
    out.put(b"[")
    if not _columns(out, inner, [row[first + j] for j in range(inner.width)], -1):
        out.size = start
        return False
    out.put(b"]")
    return True


cdef bint _columns(_Buffer out, Shape shape, list columns, Py_ssize_t most) except -1:
    """Write the objects whose members are found in parallel columns; return whether there were any."""
    cdef Py_ssize_t width = len(columns), j, n = -1, size, at
    cdef bint binary = False
    if width > MAX_COLUMNS or width < shape.width:
        raise ValueError("there are more or fewer columns than expected")
    for column in columns:
        if type(column) is bytes:
            binary = True
    if binary:
        return _arrays(out, shape, columns, most)
    for column in columns:
        if type(column) is str:
            continue
        size = len(column)
        if n >= 0 and size != n:
            raise ValueError("the columns differ in length")
        n = size
    if 0 <= most < n:
        n = most
    for at in range(n):
        if at:
            out.put(b",")
        _object(out, shape, [column if type(column) is str else column[at] for column in columns])
    return n > 0


cdef bint _arrays(_Buffer out, Shape shape, list columns, Py_ssize_t most) except -1:
    cdef Py_ssize_t width = len(columns), j, n = -1, count, at, length
    cdef Cell[16] cells
    cdef characters[16] cursors
    cdef characters[16] ends
    cdef bint[16] same
    cdef bytes array
    cdef uint32_t dimensions
    cdef int32_t size
    for j in range(width):
        same[j] = type(columns[j]) is str
        if same[j]:
            cells[j].data = PyUnicode_AsUTF8AndSize(columns[j], &length)
            cells[j].size = length
            continue
        array = <bytes?>columns[j]
        cursors[j] = PyBytes_AS_STRING(array)
        ends[j] = cursors[j] + PyBytes_GET_SIZE(array)
        if PyBytes_GET_SIZE(array) < 12:
            raise ValueError("an array is cut off")
        dimensions = _big32(cursors[j])
        if dimensions > 1 or (dimensions and PyBytes_GET_SIZE(array) < 20):
            raise ValueError("an array of one dimension is expected")
        count = _big32(cursors[j] + 12) if dimensions else 0
        if n >= 0 and count != n:
            raise ValueError("the columns differ in length")
        n = count
        cursors[j] += 20
    if 0 <= most < n:
        n = most
    for at in range(n):
        if at:
            out.put(b",")
        for j in range(width):
            if same[j]:
                continue
            if ends[j] - cursors[j] < 4:
                raise ValueError("an array is cut off")
            size = <int32_t>_big32(cursors[j])
            cursors[j] += 4
            if size < 0:
                cells[j].data = NULL
                cells[j].size = 0
                continue
            if ends[j] - cursors[j] < size:
                raise ValueError("an array is cut off")
            cells[j].data = cursors[j]
            cells[j].size = size
            cursors[j] += size
        _cells(out, shape, cells)
    return n > 0


cdef int _cells(_Buffer out, Shape shape, Cell* cells) except -1:
    """Write an object of a list, which has no lists itself."""
    cdef Py_ssize_t i
    cdef bint bare = True
    out.put(b"{")
    for i in range(shape.count):
        if _binary_cell(out, shape, i, cells[shape.columns[i]], bare):
            bare = False
    return out.put(b"}")


cdef int _object(_Buffer out, Shape shape, object row) except -1:
    cdef Py_ssize_t i
    cdef int kind
    cdef bint bare = True
    cdef Cell cell
    out.put(b"{")
    for i in range(shape.count):
        kind = shape.kinds[i]
        if kind == OBJECT:
            _begin(out, shape, i, bare)
            out.put(b"{")
            bare = True
        elif kind == END:
            out.put(b"}")
            bare = False
        elif kind == LIST:
            if _list(out, shape, i, row, bare):
                bare = False
        else:
            value = row[shape.columns[i]]
            if type(value) is bytes:
                cell.data = PyBytes_AS_STRING(value)
                cell.size = PyBytes_GET_SIZE(value)
                bare = not _binary_cell(out, shape, i, cell, bare) and bare
            else:
                bare = not _value(out, shape, i, value, bare) and bare
    return out.put(b"}")


def objects(Shape shape not None, rows):
    """See ``_rows_py.objects``."""
    cdef _Buffer out = _Buffer()
    cdef bint first = True
    for row in rows:
        if not first:
            out.put(b",")
        first = False
        _object(out, shape, row)
    return PyBytes_FromStringAndSize(out.data, out.size)


def columns(Shape shape not None, cells not None, Py_ssize_t most=-1):
    """See ``_rows_py.columns``."""
    cdef _Buffer out = _Buffer()
    _columns(out, shape, list(cells), most)
    return PyBytes_FromStringAndSize(out.data, out.size)
