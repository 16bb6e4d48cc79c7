//go:build !race && !poison

package framing

// poisoning says that what has become invalid is overwritten, so that whoever still uses it reads nonsense. It is done under
// the race detector and with the build tag poison: it costs time.
const poisoning = false
