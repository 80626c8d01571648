"""Records as people read them, a file for each noun: local time, a sign and a word for each state.

Pure. Every text that came from a user's code is made inert before it stands here.
"""
