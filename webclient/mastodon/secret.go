package mastodon

import "log/slog"

// Secret is an access token or a client secret. It prints, formats and logs as
// "[redacted]"; string(s) is the only way to the value.
type Secret string

const redacted = "[redacted]"

// String hides the value from fmt and friends.
func (Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (Secret) GoString() string { return redacted }

// LogValue hides the value from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value from encoders such as encoding/json.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
