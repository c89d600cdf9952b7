# The sandbox's own end: the container's main process. It runs commands and reads and writes files for the server, over
# frames on its standard input and output (frames.ts has their shapes). Python 3, standard library only.
#
# As process 1 it can't be killed from inside, not even by SIGKILL; not being dumpable, it can't be traced and its
# descriptors can't be opened by commands of the same user, so that no command can forge a frame. Whatever a command
# orphans becomes a child of process 1, and `kill(-1)` reaches everything at once: nothing outlives its command.
import ctypes, errno, os, select, signal, stat, struct, time

START, INPUT, KILL, CREDIT, READ, WRITE, PING = range(1, 8)
READY, OUTPUT, PREVIEW, ENDED, WANT, CONTENT, DONE, REFUSED, PONG = range(0x81, 0x8A)
PIPE, HAS_INPUT, PREVIEWS = 1, 2, 4
EXITED, SIGNALLED, NOT_STARTED = range(3)

MAX_FRAME = 9 << 20
READ_SIZE = 64 << 10
QUEUE_HIGH = 256 << 10  # bytes that wait for the server: above it no output is read, and commands wait with theirs
COALESCE = 0.002  # seconds that output waits for company, or for the end of its command
DRAIN = 0.05  # seconds that what a command left behind may go on writing
KILL_TIME = 2.0  # seconds after which something that can't be killed takes the container with it
PREVIEW_EVERY, PREVIEW_SIZE = 0.1, 4096
ERROR_TAIL = 4096
NO_MORE = 0xFFFFFFFF
PR_SET_DUMPABLE, PR_GET_DUMPABLE = 4, 3

nonce = os.urandom(8).hex()
base_env = {**os.environb}
commands, by_pid, by_fd = {}, {}, {}
queue, queued, flush_at = [], 0, None
blocked, stalled = False, False
epoll = select.epoll()


class Command:
    def __init__(self, id, flags, time_limit, keep):
        now = time.monotonic()
        self.id, self.flags, self.keep, self.began = id, flags, keep, now
        self.deadline = now + time_limit / 1000 if time_limit else None
        self.timed_out, self.slain, self.status, self.ended, self.pid = False, False, None, None, 0
        self.total, self.room, self.tail = 0, keep, bytearray()
        self.previewed = 0.0
        self.out, self.err, self.input_fd, self.input, self.wanted = None, None, None, bytearray(), 0
        self.input_closed = not flags & HAS_INPUT


def frame(type, id, body=b"", delay=0.0):
    global queued, flush_at
    queue.append(struct.pack(">IBI", 5 + len(body), type, id) + body)
    queued += len(body) + 9
    at = time.monotonic() + delay if delay else 0.0
    flush_at = at if flush_at is None else min(flush_at, at)


def flush():
    global queued, flush_at, blocked
    try:
        while queue:
            written = os.writev(1, queue[:64])
            queued -= written
            sent = 0
            while sent < len(queue) and written >= len(queue[sent]):
                written -= len(queue[sent])
                sent += 1
            del queue[:sent]
            if written:
                queue[0] = memoryview(queue[0])[written:]
        flush_at = None
    except BlockingIOError:
        pass
    if blocked != bool(queue):
        blocked = not blocked
        (epoll.register if blocked else epoll.unregister)(*((1, select.EPOLLOUT) if blocked else (1,)))


def watch(fd, command, act, events=select.EPOLLIN):
    by_fd[fd] = (command, act)
    epoll.register(fd, events)


def unwatch(fd):
    if by_fd.pop(fd, None):
        epoll.unregister(fd)


def close(fd):
    unwatch(fd)
    os.close(fd)


# --- starting


def items(body, at):
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4 : at + 4 + length]
        at += 4 + length


def start(id, body):
    flags, time_limit, keep, argc = struct.unpack_from(">BIII", body)
    cwd, *rest = items(body, 13)
    command = Command(id, flags, time_limit, keep)
    try:
        spawn(command, cwd, rest[:argc], rest[argc:])
    except OSError as error:
        name = rest[0] if error.filename != cwd else cwd
        text = name + b": " + os.strerror(error.errno).encode()
        code = 127 if error.errno == errno.ENOENT and error.filename != cwd else 126
        frame(ENDED, id, struct.pack(">BBBIQ", NOT_STARTED, code, 0, 0, len(text)) + text)


def spawn(command, cwd, argv, pairs):
    env = {**base_env, **dict(zip(pairs[::2], pairs[1::2]))}
    env[b"ERRAND_COMMAND"] = f"{nonce}-{command.id}".encode()
    ours, theirs = [], []

    def pipe(mine, other):
        ends = os.pipe()
        ours.append(ends[mine])
        theirs.append(ends[other])
        os.set_blocking(ends[mine], False)
        return ends[mine]

    try:
        if cwd:
            os.chdir(cwd)
        if command.input_closed:
            theirs.append(os.open("/dev/null", os.O_RDONLY))
        else:
            command.input_fd = pipe(1, 0)
        command.out = pipe(0, 1)
        if command.flags & PIPE:
            command.err = pipe(0, 1)
        actions = [(os.POSIX_SPAWN_DUP2, theirs[min(n, len(theirs) - 1)], n) for n in range(3)]
        defaults = [signal.SIGPIPE, signal.SIGXFSZ]
        command.pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults)
    except OSError:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
        if cwd:
            os.chdir(root)
    spare_runner(command.pid)
    commands[command.id] = by_pid[command.pid] = command
    if not stalled:
        listen(command)


def spare_runner(pid):
    """Short of memory, the kernel shall take a command and not process 1."""
    try:
        fd = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"500")
        os.close(fd)
    except OSError:
        pass  # already gone


# --- input and output of commands


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
    if command.room > 0:
        frame(OUTPUT, command.id, data[: command.room], COALESCE)
    rest = data[command.room :]
    command.room -= len(data) - len(rest)
    if piped:
        if command.room == 0:
            unwatch(command.out)
    elif rest:
        keep_tail(command, rest, command.keep)
        now = time.monotonic()
        if command.flags & PREVIEWS and now - command.previewed >= PREVIEW_EVERY:
            command.previewed = now
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


# --- ends


def reap():
    """True while there are children."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            return True
        command = by_pid.pop(pid, None)
        if command:
            command.status, command.ended = status, time.monotonic()


def settle(command, now):
    """Ends a command whose program has ended, once its output has ended too or has had its time."""
    if command.status is None:
        return
    open_ends = command.out is not None or command.err is not None
    if open_ends and not command.slain and now < command.ended + DRAIN:
        return
    if not command.slain:
        slay(command)
    # Nobody writes any more: what can't be read now will never come.
    while command.err is not None:
        take_error(command)
    while command.out is not None and (command.room > 0 or not command.flags & PIPE):
        take(command)
    if command.out is None:
        finish(command)


def finish(command):
    if command.input_fd is not None:
        close(command.input_fd)
        command.input_fd = None
    del commands[command.id]
    how, value = (SIGNALLED, os.WTERMSIG(command.status)) if os.WIFSIGNALED(command.status) else (EXITED, os.WEXITSTATUS(command.status))
    limit = ERROR_TAIL if command.flags & PIPE else command.keep
    tail = bytes(command.tail[-limit:]) if limit else b""
    ms = int(1000 * (command.ended - command.began))
    frame(ENDED, command.id, struct.pack(">BBBIQ", how, value, command.timed_out, ms, command.total) + tail)


def slay(command):
    """Kills a command and all it started, and returns when that is gone."""
    command.slain = True
    until = time.monotonic() + KILL_TIME
    if all(other.slain for other in commands.values()):
        killed = kill(signal.SIGKILL, -1)
        while killed and reap():
            pause(until)
        return
    while True:
        reap()
        if command.status is not None and not left_behind(command):
            return
        pids = members(command)
        if not pids and command.status is not None:
            return
        # Stopped first, so that a storm of forks can't outrun the kills.
        for pid in pids:
            kill(signal.SIGSTOP, pid)
        for pid in pids:
            kill(signal.SIGKILL, pid)
        pause(until)


def pause(until):
    if time.monotonic() > until:
        os._exit(70)
    time.sleep(0.0005)


def kill(number, pid):
    try:
        os.kill(pid, number)
        return True
    except OSError:
        return False


def left_behind(command):
    """The cheap question before all processes are looked at: is anybody in the group, have orphans come to us?"""
    if kill(0, -command.pid):
        return True
    try:
        with open("/proc/self/task/1/children", "rb", 0) as file:
            return any(int(pid) not in by_pid for pid in file.read().split())
    except OSError:
        return True


def members(command):
    """Its session, what carries its mark in the environment, and the descendants of these."""
    mark = f"ERRAND_COMMAND={nonce}-{command.id}".encode()
    parents, found = {}, set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        pid = int(name)
        try:
            with open(f"/proc/{pid}/stat", "rb", 0) as file:
                state, parent, _, session = file.read(1024).rpartition(b") ")[2].split()[:4]
            if state in b"ZX":
                continue
            parents[pid] = int(parent)
            if int(session) == command.pid:
                found.add(pid)
            elif pid not in by_pid:
                with open(f"/proc/{pid}/environ", "rb", 0) as file:
                    if mark in file.read(256 << 10).split(b"\0"):
                        found.add(pid)
        except OSError:
            pass  # gone, or not ours to see
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return found


# --- files


def refuse(id, error):
    frame(REFUSED, id, errno.errorcode.get(error.errno, "unknown").encode())


def require_file(info):
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(info.st_mode) else errno.ENXIO, "not a regular file")


def read_file(id, body):
    offset, limit = struct.unpack_from(">QI", body)
    try:
        # Opening a named pipe would wait for who writes to it.
        fd = os.open(body[12:], os.O_RDONLY | os.O_NONBLOCK)
        try:
            info = os.fstat(fd)
            require_file(info)
            parts, at = [], offset
            while at < offset + limit:
                data = os.pread(fd, offset + limit - at, at)
                if not data:
                    break
                parts.append(data)
                at += len(data)
        finally:
            os.close(fd)
        # Files of /proc have no size.
        frame(CONTENT, id, struct.pack(">Q", max(info.st_size, at)) + b"".join(parts))
    except OSError as error:
        refuse(id, error)


def write_file(id, body):
    path, data = items(body, 0)
    try:
        for _ in range(40):
            if not os.path.islink(path):
                break
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        directory = os.path.dirname(path) or b"."
        try:
            former = os.stat(path)
            require_file(former)
        except FileNotFoundError:
            former = None
            os.makedirs(directory, exist_ok=True)
        replace(path, os.path.join(directory, f".{nonce}-{id}".encode()), data, former)
        frame(DONE, id)
    except OSError as error:
        refuse(id, error)


def replace(path, draft, data, former):
    """Others see the old file or the new one."""
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            if former:
                os.fchmod(fd, stat.S_IMODE(former.st_mode))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)
        os.rename(draft, path)
    except OSError:
        os.unlink(draft)
        raise


# --- the loop


def kill_command(id, _):
    command = commands.get(id)
    if not command:
        return
    slay(command)
    # Nobody will take the rest of its output, nor give credit for it.
    for fd in (command.out, command.err):
        if fd is not None:
            close(fd)
    command.out = command.err = None


handlers = {
    START: start,
    INPUT: take_input,
    KILL: kill_command,
    CREDIT: credit,
    READ: read_file,
    WRITE: write_file,
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


def wait(now):
    """Seconds until the next thing that is due; -1 for none."""
    due = [flush_at] if queue and not blocked else []
    for command in commands.values():
        if command.status is None:
            due += [command.deadline] if command.deadline else []
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
        for command in list(commands.values()):
            if command.deadline and now >= command.deadline and command.status is None:
                command.timed_out = True
                slay(command)
            settle(command, now)
        if queue and not blocked and (flush_at <= time.monotonic() or queued >= READ_SIZE):
            flush()
        stall()


root = os.getcwd()
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
frame(READY, 0, bytes([protected]))
# The end of the input is the end of the server: when process 1 ends, the kernel ends all others.
loop()
