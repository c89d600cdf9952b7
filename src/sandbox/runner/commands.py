# Commands, and how they start.

nonce = os.urandom(8).hex()
base_env = {**os.environb}
commands, by_pid = {}, {}
shell, shell_wanted, shells = None, False, 0

# A shell that has started already, and takes its command from descriptor 3: byte by byte, so that long ones are not for it.
WAITING = b'IFS= read -rd "" -u 3; exec 3<&-; eval "$REPLY"'
LONGEST_WAITED_FOR = 4096


class Command:
    def __init__(self, id, flags, time_limit, silence_limit, keep):
        now = time.monotonic()
        self.id, self.flags, self.keep, self.began = id, flags, keep, now
        self.deadline = now + time_limit / 1000 if time_limit else None
        self.patience = silence_limit / 1000 if silence_limit else None
        self.heard, self.limit = now, 0
        self.slain, self.status, self.ended, self.pid = False, None, None, 0
        self.total, self.room, self.tail = 0, keep, bytearray()
        self.previewed = 0.0
        self.out, self.err, self.input_fd, self.input, self.wanted = None, None, None, bytearray(), 0
        self.mark = f"{nonce}-{id}".encode()
        self.input_closed = not flags & HAS_INPUT


def items(body, at):
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4 : at + 4 + length]
        at += 4 + length


def start(id, body):
    flags, time_limit, silence_limit, keep, argc = struct.unpack_from(">BIIII", body)
    words = list(items(body, 17))
    command = Command(id, flags, time_limit, silence_limit, keep)
    try:
        if not hand_over(command, words):
            spawn(command, words[:argc], words[argc:])
        begin(command)
    except OSError as error:
        text = words[0] + b": " + os.strerror(error.errno).encode()
        code = 127 if error.errno == errno.ENOENT else 126
        frame(ENDED, id, struct.pack(">BBBBIQ", NOT_STARTED, code, 0, tree_changed(), 0, len(text)) + text)


def spawn(command, argv, pairs):
    env = {**base_env, **dict(zip(pairs[::2], pairs[1::2]))}
    env[b"ERRAND_COMMAND"] = command.mark
    ours, theirs = [], []

    def pipe(mine, other):
        ends = os.pipe()
        ours.append(ends[mine])
        theirs.append(ends[other])
        os.set_blocking(ends[mine], False)
        return ends[mine]

    try:
        if command.input_closed:
            theirs.append(os.open("/dev/null", os.O_RDONLY))
        else:
            command.input_fd = pipe(1, 0)
        command.out = pipe(0, 1)
        if command.flags & PIPE:
            command.err = pipe(0, 1)
        command.pid = launch(argv, env, [theirs[min(n, len(theirs) - 1)] for n in range(3)])
    except OSError:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)


def launch(argv, env, fds):
    """The descriptors become 0, 1, 2 and so on."""
    actions = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(fds)]
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]
    pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults)
    spare_runner(pid)
    return pid


def begin(command):
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


def hand_over(command, words):
    """Gives a plain command line to the shell that waits for one: a new one needs longer to start than most commands run."""
    global shell, shell_wanted
    if command.flags & (PIPE | HAS_INPUT) or len(words) != 3 or words[:2] != [b"bash", b"-c"]:
        return False
    shell_wanted = True
    if len(words[2]) > LONGEST_WAITED_FOR or shell is None:
        return False
    pid, mark, out, text = shell
    shell = None
    try:
        os.write(text, words[2] + b"\0")
    except OSError:
        os.close(out)
        return False
    finally:
        os.close(text)
    command.pid, command.mark, command.out = pid, mark, out
    return True


def prepare_shell():
    """Only while no command runs: the end of any takes everything with it."""
    global shell, shell_wanted, shells
    if not shell_wanted or shell or commands:
        return
    shell_wanted, shells = False, shells + 1
    mark = f"{nonce}-shell{shells}".encode()
    out, out_end = os.pipe()
    text_end, text = os.pipe()
    os.set_blocking(out, False)
    nothing = os.open("/dev/null", os.O_RDONLY)
    try:
        pid = launch([b"bash", b"-c", WAITING], {**base_env, b"ERRAND_COMMAND": mark}, [nothing, out_end, out_end, text_end])
        shell = pid, mark, out, text
    except OSError:
        os.close(out)
        os.close(text)
    finally:
        for fd in (nothing, out_end, text_end):
            os.close(fd)


def lose_shell(pid):
    """Somebody has killed it, as the end of a command does."""
    global shell, shell_wanted
    if shell and shell[0] == pid:
        for fd in shell[2:]:
            os.close(fd)
        shell, shell_wanted = None, True
