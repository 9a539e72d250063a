"""Who people and programs are, what each role may do, and the log of what they did.

names       what an account may be called
passwords   argon2id, and which passwords are refused
actions     the one table of roles and what each may do
register    accounts: add, change, disable, remove
sessions    what the page holds after signing in
signin      name and password against a limit of guesses (throttle)
keys        what programs hold
tokens      what an OpenID Connect issuer says of a program or person
caller      whoever made a request, in one shape for all of these
audit       rows that are only ever added, each bound to the one before
sightings   who saw what, gathered in memory and written behind the answers
"""
