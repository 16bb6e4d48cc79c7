// Package policy decides what may pass through one stream of the gateway: verdicts on parsed elements, nothing else.
package policy
