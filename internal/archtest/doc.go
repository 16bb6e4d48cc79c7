// Package archtest holds the tests that keep the source in shape: who may
// import whom, how long a file and a function may be, what every package has to
// say about itself, and a few things that must not be written at all.
//
// The rules read the sources of the whole repository themselves, so that the
// test cache notices when one changes. Each rule is a function from a file tree
// to complaints, and is tried on a tree that breaks it.
package archtest
