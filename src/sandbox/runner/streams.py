# Input and output of commands: bounded, and no faster than the slower side.


def listen(command):
    if command.out is not None and command.out not in by_fd and (command.room > 0 or not command.flags & PIPE):
        watch(command.out, command, take)
    if command.err is not None and command.err not in by_fd:
        watch(command.err, command, take_error)


def read(fd, size=READ_SIZE):
    """Bytes, none at the end, or None when there is nothing now."""
    try:
        return os.read(fd, size)
    except BlockingIOError:
        return None


def keep_tail(command, data, limit):
    command.tail += data
    if len(command.tail) > 2 * limit:
        del command.tail[:-limit]


def take(command):
    piped = command.flags & PIPE
    data = read(command.out, min(READ_SIZE, command.room) if piped else READ_SIZE)
    if data is None and not command.slain:
        return False
    if not data:
        close(command.out)
        command.out = None
        return False
    command.total += len(data)
    command.heard = time.monotonic()
    if command.room > 0:
        frame(OUTPUT, command.id, data[: command.room], COALESCE)
    rest = data[command.room :]
    command.room -= len(data) - len(rest)
    if piped:
        if command.room == 0:
            unwatch(command.out)
    elif rest:
        keep_tail(command, rest, command.keep)
        if command.flags & PREVIEWS and command.heard - command.previewed >= PREVIEW_EVERY:
            command.previewed = command.heard
            frame(PREVIEW, command.id, rest[-PREVIEW_SIZE:])
    return True


def take_error(command):
    data = read(command.err)
    if data is None and not command.slain:
        return False
    if not data:
        close(command.err)
        command.err = None
        return False
    keep_tail(command, data, ERROR_TAIL)
    return True


def credit(id, body):
    command = commands.get(id)
    if command:
        command.room += struct.unpack(">I", body)[0]
        if not stalled:
            listen(command)


def take_input(id, body):
    command = commands.get(id)
    if not command or command.input_fd is None:
        return
    if body:
        command.input += body
    else:
        command.input_closed = True
    feed(command)


def feed(command):
    try:
        while command.input:
            written = os.write(command.input_fd, memoryview(command.input)[:READ_SIZE])
            del command.input[:written]
            command.wanted += written
    except BlockingIOError:
        if command.input_fd not in by_fd:
            watch(command.input_fd, command, feed, select.EPOLLOUT)
    except OSError:
        # The program reads no more.
        command.input.clear()
        command.input_closed, command.wanted = True, NO_MORE
    if command.wanted >= READ_SIZE or (command.wanted and not command.input and not command.input_closed):
        frame(WANT, command.id, struct.pack(">I", command.wanted))
        command.wanted = 0
    if not command.input:
        unwatch(command.input_fd)
        if command.input_closed:
            os.close(command.input_fd)
            command.input_fd = None
