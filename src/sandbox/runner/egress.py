# The way out: what programs here send to an address of this machine goes to the socket that the server has mounted.
# In process 1, which is there anyway and can't be killed; nothing is looked at, and nothing costs anything before it is
# used. `_socket` is what `socket` is made of, without the milliseconds that importing that takes.

EGRESS_SOCKET = "/run/errand/egress.sock"
DOOR = ("127.0.0.1", 3128)
MOST_CARRIED = 200  # connections; more wait in the kernel until one has ended
CARRY_SIZE = 64 << 10

carried = 0


class End:
    """One end of a connection that is carried; `rest` waits to be written to it."""

    __slots__ = ("socket", "fd", "peer", "rest", "ended", "mask")

    def __init__(self, socket):
        self.socket, self.fd, self.rest, self.ended, self.mask = socket, socket.fileno(), b"", False, 0


def open_door():
    global door
    import _socket

    if not os.path.exists(EGRESS_SOCKET):
        return
    door = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    door.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    door.bind(DOOR)
    door.listen(1024)
    watch(door.fileno(), _socket, accept)


def accept(_socket):
    global carried
    try:
        fd, _ = door._accept()
    except OSError:
        return
    inner = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fd)
    outer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        inner.setblocking(False)
        inner.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        outer.connect(EGRESS_SOCKET)
    except OSError:
        inner.close()
        outer.close()
        return
    one, other = End(inner), End(outer)
    one.peer, other.peer = other, one
    carried += 1
    if carried >= MOST_CARRIED:
        unwatch(door.fileno())
    await_both(one)


def carry(end):
    """Something can be written to this end, or read from it: once each, so that everybody has a turn."""
    try:
        if end.rest:
            end.rest = end.rest[os.write(end.fd, end.rest) :]
        if not end.ended and not end.peer.rest:
            data = os.read(end.fd, CARRY_SIZE)
            if data:
                end.peer.rest = memoryview(data)[write_some(end.peer.fd, data) :]
            else:
                end.ended = True
    except BlockingIOError:
        pass
    except OSError:
        return drop(end)
    try:
        for one in (end, end.peer):
            if one.ended and not one.peer.rest:
                one.peer.socket.shutdown(1)
    except OSError:
        return drop(end)
    if end.ended and end.peer.ended and not end.rest and not end.peer.rest:
        return drop(end)
    await_both(end)


def write_some(fd, data):
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def await_both(end):
    """An end that waits for nothing is not watched at all: the kernel would tell of its end again and again."""
    for one in (end, end.peer):
        reads = not one.ended and not one.peer.rest
        mask = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if one.rest else 0)
        if mask == one.mask:
            continue
        unwatch(one.fd)
        if mask:
            watch(one.fd, one, carry, mask)
        one.mask = mask


def drop(end):
    global carried
    for one in (end, end.peer):
        unwatch(one.fd)
        one.socket.close()
    carried -= 1
    if carried == MOST_CARRIED - 1:
        watch(door.fileno(), sys.modules["_socket"], accept)
