"""An OAuth 2.1 resource server: whose access tokens are taken, and where callers get one.

Nothing here gives out tokens: that is an authorization server's work.
"""
