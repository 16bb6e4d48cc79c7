// Package extauth is the program that ejabberd starts to ask about passwords: a
// thin pipe between ejabberd's external authentication protocol on standard
// input and output, and Trunkline's private listener.
//
// Promises: each request is answered within Deadline, whatever the service does,
// and in order; nothing that ejabberd writes ends the pipe but the end of its
// input; the service may come and go. What cannot be told now is "no" for a
// password and "yes" for the question whether somebody exists: the protocol has
// no third word, and a message that bounces is lost while one that is stored is
// not. Setting passwords and registering or removing people is always "no".
// No secret is logged, and none but a password that is asked about is passed on.
//
// It is small, for ejabberd starts several of them: it keeps no state but one
// connection. Check reads an ejabberd configuration and says what in it would
// break this.
//
// It starts no goroutine.
package extauth
