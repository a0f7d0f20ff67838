# Varnish in front of mcp-app, which listens on 127.0.0.1:8000 without TLS; whoever ends TLS stands before Varnish.
# A client that has left a stream is noticed when a second or third heartbeat cannot be written to it
# (MCP_APP_HEARTBEAT_SECONDS); one that waits for a JSON answer of the plain dialect is not: its tool works on, to the
# cap at most.
# Started with `-p send_timeout=86400`: by default Varnish cuts an answer of more than 600 s, as a session's stream is.

vcl 4.1;

backend mcp_app {
    .host = "127.0.0.1";
    .port = "8000";
    # Longer than MCP_APP_CAP_SECONDS (120 s): a JSON answer of the plain dialect is silent until it is there.
    .first_byte_timeout = 180s;
    # Longer than the heartbeat (15 s), which keeps a quiet stream open for as long as it lasts.
    .between_bytes_timeout = 60s;
    .probe = {
        .url = "/readyz";
        .interval = 5s;
    }
}

sub vcl_recv {
    # Varnish compares addresses as they are written, the server decodes them: %6d is m. No route needs a % in its path.
    if (req.url ~ "^/metrics" || req.url ~ "^[^?]*%") {
        return (synth(403));
    }
    # What is not written here would be passed on as the client has sent it. Varnish itself writes X-Forwarded-For.
    unset req.http.Forwarded;
    unset req.http.X-Forwarded-Host;
    # Nothing is cached: a call is not repeated for another caller, and events are passed on when they come.
    return (pass);
}
