"""What a flow takes: binding, coercion, JSON schema, and checks of values against one."""
