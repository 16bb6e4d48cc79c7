//go:build !unix

package config

// writable knows nothing here: the first write will tell.
func writable(string) error { return nil }
