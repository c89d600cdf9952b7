# What may have changed in the work tree, from what inotify tells of its directories. Git's own directories are not
# watched. In doubt everything may have: before the watch, after an overflow, or when there is too much to be watched.
IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_Q_OVERFLOW, IN_IGNORED = 0x100, 0x200, 0x400, 0x800, 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_ISDIR = 0x1000000, 0x2000000, 0x40000000
WATCHED = (
    IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
)
MOST_DIRECTORIES, MOST_ENTRIES = 4096, 200_000
NEWS_SIZE = 64 << 10
MOST_EDITS, MOST_EDITED = 64, 1 << 20
GONE, PLAIN, EXECUTABLE = 0, 1, 2

tree_root, news_fd = None, None
places = {}  # directories, relative to the root, by their watch
edited, unsure = set(), True
unusual = False  # attributes change what git makes of a file, and a repository in the tree what it makes of a directory


def watch_tree(_, body):
    """Begins to watch, or goes on: what is there now is seen by whoever looks at the tree after this."""
    global tree_root, news_fd
    tree_root = bytes(body)
    if news_fd is None:
        fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        news_fd = fd if fd >= 0 else None
    if news_fd is not None:
        watch_directories(b"", False)


def watch_directories(top, new):
    """All of them below one; what is in a new one counts as edited."""
    global news_fd
    waiting, entries = [top], 0
    while waiting:
        place = waiting.pop()
        path = os.path.join(tree_root, place)
        added = libc.inotify_add_watch(news_fd, path, WATCHED | IN_ONLYDIR | IN_DONT_FOLLOW)
        try:
            # One that has gone meanwhile is told by the one above it.
            if added < 0 and os.path.isdir(path):
                raise OSError
            if added >= 0:
                places[added] = place
            with os.scandir(path) as found:
                for entry in found:
                    entries += 1
                    name = os.path.join(place, entry.name)
                    notice(name)
                    if not entry.is_dir(follow_symlinks=False):
                        if new:
                            edit(name)
                    elif entry.name != b".git":
                        waiting.append(name)
            too_much = len(places) + len(waiting) > MOST_DIRECTORIES or entries > MOST_ENTRIES
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            too_much = True
        if too_much:
            os.close(news_fd)
            news_fd = None
            return


def notice(path):
    global unusual
    unusual = unusual or os.path.basename(path) == b".gitattributes" or path.endswith(b"/.git")


def edit(path):
    global unsure
    edited.add(path)
    unsure = unsure or len(edited) > MOST_EDITS
    if unsure:
        edited.clear()


def tree_changed():
    """True when something may have changed since this was last asked."""
    changed = news_fd is None
    while news_fd is not None:
        news = read(news_fd, NEWS_SIZE)
        if news is None:
            break
        changed, at = True, 0
        while at < len(news) and news_fd is not None:
            watched, mask, _, length = struct.unpack_from("iIII", news, at)
            hear(watched, mask, news[at + 16 : at + 16 + length].rstrip(b"\0"))
            at += 16 + length
    return changed


def hear(watched, mask, name):
    global unsure
    place = places.get(watched)
    path = os.path.join(place or b"", name)
    notice(path)
    if mask & IN_IGNORED:
        places.pop(watched, None)
    elif mask & IN_Q_OVERFLOW or place is None or (mask & IN_ISDIR and mask & IN_MOVED_FROM):
        unsure = True
        watch_directories(b"", False)
    elif mask & IN_ISDIR and name != b".git":
        if mask & (IN_CREATE | IN_MOVED_TO):
            watch_directories(path, True)
    elif name and path != b".git":
        edit(path)


def tell_edits(id, _):
    """The files that were edited since this was last asked, as they are now, unless more than that may have happened."""
    global unsure
    tree_changed()
    items = None if unsure or unusual or news_fd is None else edits()
    edited.clear()
    unsure = False
    body = b"" if items is None else b"".join(struct.pack(">I", len(item)) + item for item in items)
    frame(EDITS, id, bytes([items is not None]) + body)


def edits():
    items, room = [], MOST_EDITED
    for path in edited:
        try:
            fd = os.open(os.path.join(tree_root, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            items += [path, bytes([GONE])]
            continue
        except OSError:
            return None
        try:
            info = os.fstat(fd)
            # What has two names may have been edited by the other one.
            if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1 or info.st_size > room:
                return None
            data = os.read(fd, room + 1)
        finally:
            os.close(fd)
        if len(data) != info.st_size:
            return None
        room -= len(data)
        items += [path, bytes([EXECUTABLE if info.st_mode & stat.S_IXUSR else PLAIN]) + data]
    return items
