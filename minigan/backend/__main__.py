"""`python -m minigan.backend`: which backend `auto` chooses on this machine, and why."""

from minigan.backend import get_backend, why

if __name__ == "__main__":
    print(f"auto chooses {get_backend('auto').name}")
    print(why())
