"""Questions of the library reasoning-gym, which runs in a process of its own."""
