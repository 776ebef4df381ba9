"""The HTTP and WebSocket door, on plain Tornado.

door         what every handler needs: the application when it is first wanted, and who asks
errors       an error's kind -> an HTTP status, once
answers      what all answers share: JSON, one shape of error, logs that quote nobody
together     work that is done once for all who want it at the same time
handler      what all HTTP handlers share: bodies up to a limit in, answers out
http         one handler for all procedures, and two documents
files        the bytes of attached files, in and out
socket       the WebSocket: subscribe, resume, heartbeat
lines        all open WebSockets: how many each owner has, which are of no use any more
routes       paths -> handlers
extension    the same handlers inside Jupyter Server; the only place that knows it
activity     when somebody last used it, for those who stop what nobody uses
kernels      a token and an address for every kernel that the server starts
"""
