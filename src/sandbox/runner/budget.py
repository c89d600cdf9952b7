# What the work tree takes of the disk, where no file system of its own limits it. It is measured while commands run and
# after the last of them, a slice at a time between requests; above the budget everything is killed and the server told.
SLICE = 0.004  # seconds
REST = 1.0  # seconds between two measurements at least; ten times what one took, when that is more

budget = None  # bytes, files, bytes that must stay free, path
walking, measured_at, next_measure, unmeasured = None, 0.0, 0.0, False


class Exceeded(Exception):
    pass


def set_budget(_, body):
    global budget
    budget = (*struct.unpack_from(">QQQ", body), bytes(body[24:]))


def measuring_due():
    """When the next slice is due, if any."""
    if walking:
        return [0.0]
    return [next_measure] if budget and (commands or unmeasured) else []


def measure(now):
    global walking, measured_at, next_measure, unmeasured
    if not budget:
        return
    if commands:
        unmeasured = True
    if walking is None and unmeasured and now >= next_measure:
        walking, measured_at, unmeasured = walk(), now, False
    if walking is None:
        return
    try:
        while time.monotonic() < now + SLICE:
            next(walking)
    except StopIteration:
        walking, done = None, time.monotonic()
        next_measure = done + max(REST, 10 * (done - measured_at))
    except Exceeded as reason:
        kill(signal.SIGKILL, -1)
        walking, unmeasured = None, False
        frame(EXCEEDED, 0, str(reason).encode())


def walk():
    """One look at everything, with a pause at each `yield`. What commands change meanwhile, the next look sees."""
    most_bytes, most_files, least_free, root = budget
    disk = os.statvfs(root)
    if disk.f_bavail * disk.f_frsize < least_free:
        raise Exceeded("the disk that it is on is nearly full")
    device, linked, sizes = os.lstat(root).st_dev, set(), [0, 0]

    def count(info):
        if info.st_dev != device:
            return
        if info.st_nlink != 1 and not stat.S_ISDIR(info.st_mode):
            if info.st_ino in linked:
                return
            linked.add(info.st_ino)
        sizes[0] += 512 * info.st_blocks
        sizes[1] += 1
        if sizes[0] > most_bytes:
            raise Exceeded(f"its files took more than {most_bytes >> 20} MiB")
        if sizes[1] > most_files:
            raise Exceeded(f"there were more than {most_files} of its files")

    waiting = [root]
    while waiting:
        for path, info in entries(waiting.pop()):
            yield
            count(info)
            if stat.S_ISDIR(info.st_mode) and info.st_dev == device:
                waiting.append(path)
    for info in deleted_files():
        yield
        count(info)


def entries(path):
    """All that is in a directory. Commands are the same user: what they close is opened while it is looked at."""
    closed = None
    try:
        try:
            found = os.scandir(path)
        except PermissionError:
            closed = stat.S_IMODE(os.lstat(path).st_mode)
            os.chmod(path, 0o700)
            found = os.scandir(path)
        with found:
            for entry in found:
                try:
                    info = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield entry.path, info
        if closed is not None:
            os.chmod(path, closed)
    except (FileNotFoundError, NotADirectoryError):
        pass  # gone
    except OSError as error:
        raise Exceeded(f"one of its directories could not be measured: {error.strerror}")


def deleted_files():
    """Files without a name take space for as long as somebody has them open."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            for fd in os.listdir(f"/proc/{name}/fd"):
                try:
                    info = os.stat(f"/proc/{name}/fd/{fd}")
                except OSError:
                    continue  # closed
                if info.st_nlink == 0 and stat.S_ISREG(info.st_mode):
                    yield info
        except OSError:
            pass  # gone, or not ours to see
