//go:build race || poison

package framing

const poisoning = true
