"""Records as the JSON that scripts rely on, a file for each noun.

Pure. Every key is always there, unknown is null, times are RFC 3339 in UTC.
"""
