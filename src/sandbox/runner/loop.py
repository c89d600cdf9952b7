# Requests as they come, and all that is due at a time.

handlers = {
    START: start,
    INPUT: take_input,
    KILL: kill_command,
    CREDIT: credit,
    READ: read_file,
    WRITE: write_file,
    WATCH: watch_tree,
    BUDGET: set_budget,
    TELL: tell_edits,
    PING: lambda id, _: frame(PONG, id),
}


def requests(incoming):
    at = 0
    while len(incoming) - at >= 9:
        length, type, id = struct.unpack_from(">IBI", incoming, at)
        if length > MAX_FRAME:
            os._exit(71)
        if len(incoming) - at < 4 + length:
            break
        body = bytes(memoryview(incoming)[at + 9 : at + 4 + length])
        at += 4 + length
        handlers[type](id, body)
    del incoming[:at]


def limits(command):
    """When a command is killed, and for which limit. Nobody hears a command while its output is not read."""
    found = [(command.deadline, 1)] if command.deadline else []
    if command.patience and not stalled:
        found.append((command.heard + command.patience, 2))
    return found


def wait(now):
    """Seconds until the next thing that is due; -1 for none."""
    due = [flush_at] if queue and not blocked else []
    due += measuring_due()
    for command in commands.values():
        if command.status is None:
            due += [at for at, _ in limits(command)]
        elif not command.slain:
            due.append(command.ended + DRAIN)
    return max(0.0, min(due) - now) if due else -1


def stall():
    """While the server does not read, no output is read; requests are, for one may be a kill."""
    global stalled
    full = queued >= (QUEUE_HIGH // 2 if stalled else QUEUE_HIGH)
    if full == stalled:
        return
    stalled = full
    for command in commands.values():
        if not full:
            command.heard = time.monotonic()
            listen(command)
            continue
        for fd in (command.out, command.err):
            if fd is not None:
                unwatch(fd)


def loop():
    incoming = bytearray()
    while True:
        for fd, _ in epoll.poll(wait(time.monotonic())):
            if fd == 0:
                data = read(0)
                if data == b"":
                    return
                incoming += data or b""
                requests(incoming)
            elif fd == 1:
                flush()
            elif fd == wake:
                read(wake)
            elif fd in by_fd:
                command, act = by_fd[fd]
                act(command)
        reap()
        now = time.monotonic()
        measure(now)
        for command in list(commands.values()):
            exceeded = [limit for at, limit in limits(command) if now >= at]
            if exceeded and command.status is None:
                command.limit = exceeded[0]
                slay(command)
            settle(command, now)
        if queue and not blocked and (flush_at <= time.monotonic() or queued >= READ_SIZE):
            flush()
        stall()
        prepare_shell()


os.umask(0o022)
libc = ctypes.CDLL(None)
libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
protected = os.getpid() == 1 and libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
wake, wake_end = os.pipe()
for fd in (0, 1, wake, wake_end):
    os.set_blocking(fd, False)
signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
signal.signal(signal.SIGCHLD, lambda *_: None)
# Without a handler, which Python has for this one, process 1 gets no signal from inside.
signal.signal(signal.SIGINT, signal.SIG_DFL)
for fd in (0, wake):
    epoll.register(fd, select.EPOLLIN)
open_door()
frame(READY, 0, bytes([protected]))
# The end of the input is the end of the server: when process 1 ends, the kernel ends all others.
loop()
