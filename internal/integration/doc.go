// Package integration starts real servers for tests and for the demo, and
// speaks to them as a raw XMPP client.
//
// Promises:
//
//   - Launch starts a Prosody with a generated configuration that lives in one
//     folder and listens on loopback alone. It returns when the server answers
//     XMPP, and the server dies with the process that started it.
//   - Start after Kill or Stop uses the same ports and the same data.
//   - LaunchEjabberd does the same with an ejabberd, without Erlang's
//     distribution: no epmd, no cookie, no node name.
//   - LaunchSlapd starts a directory (OpenLDAP), and LaunchKamailio the SIP
//     server of contrib/kamailio; they answer when they have started.
//   - StartProsody, StartEjabberd and Connect are the same for tests: they fail the test
//     instead of returning errors, clean up after it, and show the server's log
//     when it failed.
//
// Goroutines: each running server has one that waits for its exit, each Raw
// client one that reads; Kill, Stop and Close return when they have ended.
//
// It needs the "prosody" program (Debian: apt install prosody
// prosody-modules) and ejabberd's libraries (apt install ejabberd), and for
// those who start them slapd, and kamailio with kamailio-sqlite-modules,
// kamailio-postgres-modules and kamailio-tls-modules. Their absence is an error, never a skipped test.
package integration
