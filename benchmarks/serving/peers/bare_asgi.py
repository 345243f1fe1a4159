"""The ceiling of the transport: uvicorn and a function that reads a body and throws it away.

Run: python bare_asgi.py PORT
"""

import sys

import uvicorn

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="warning", access_log=False)
