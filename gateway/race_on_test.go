//go:build race

package gateway_test

// underRace: load is smaller under the race detector.
const underRace = true
