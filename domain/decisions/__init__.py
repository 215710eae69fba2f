"""How each command becomes facts, a file per part of a claim's life; `deciding.decide` is the door.

A builder looks at the claim as it is and returns the body of the fact that the command asks for, or the
refusal. It does not judge what the guards judge: the guards of the row see the body and may still refuse.
"""
