"""A log of requests as IIS writes it."""

FIELDS = (
    "date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
    " cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken"
)


def write_requests(folder):
    """Some thousands over two days, of two sites; the same every time."""
    folder.mkdir()
    state = 1
    for day in (14, 15):
        lines = ["#Software: Microsoft Internet Information Services 10.0", "#Version: 1.0", "#Fields: " + FIELDS]
        for second in range(0, 86_400, 29):
            state = state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407 & (1 << 64) - 1
            draw = state >> 33
            status = (200, 200, 200, 304, 404, 500, 500, 503)[draw % 8]
            site, path, client = draw // 8 % 2 + 1, draw // 16 % 40, draw // 640 % 60
            user = "CORP\\user%d" % client if client % 3 == 0 else "-"
            moment = "2026-09-%d %02d:%02d:%02d" % (day, second // 3600, second // 60 % 60, second % 60)
            request = "W3SVC%d 10.0.0.4 GET /app/page%d.aspx - 443 %s 203.0.113.%d" % (site, path, user, client)
            outcome = "%d %d %d %d" % (status, path % 4, path % 3 * 64, draw % 9_000)
            lines.append("%s %s Mozilla/5.0+(X) %s" % (moment, request, outcome))
        (folder / ("u_ex2609%d.log" % day)).write_text("\r\n".join(lines) + "\r\n")
