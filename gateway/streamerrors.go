package gateway

import (
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Stream errors (RFC 6120 section 4.9.3) cross the gateway in one direction
// only: the browser's violations end the server's stream in an orderly way,
// without an error, because the server has seen nothing of them. What the
// server says reaches the browser as it is, but for these.
var toldAs = map[framing.Condition]framing.Condition{
	// Where it points to is a TCP server, which a browser cannot reach: it has to
	// come back here.
	framing.SeeOtherHost: framing.Reset,
}

// outlives are the conditions after which the session may be alive: somebody
// else has it.
var outlives = map[framing.Condition]bool{framing.Conflict: true}

// conditionOfStream is the condition of a server's stream error;
// undefined-condition in place of one that no standard knows.
func conditionOfStream(e *framing.Element) framing.Condition {
	for c := range e.Children() {
		if c.Name.Space == framing.NSStreams && c.Name.Local != "text" {
			if found := framing.Condition(c.Name.Local); found.Known() {
				return framing.Condition(strings.Clone(c.Name.Local))
			}
		}
	}
	return framing.UndefinedCondition
}

// streamError is the frame in which the browser is told of a server's stream
// error: as it was, if the browser has to know the same.
func streamError(e *framing.Element) []byte {
	condition := conditionOfStream(e)
	told, changed := toldAs[condition]
	if !changed {
		told = condition
	}
	if e.Child(framing.NSStreams, string(told)) != nil {
		return e.Raw
	}
	return framing.AppendStreamError(nil, told, "")
}

// endStreamError is the end after a stream error of the server, which the
// browser has been told of.
func endStreamError(e *framing.Element) ending {
	condition := conditionOfStream(e)
	end := endServer
	end.reason, end.detail, end.code = "server_error", string(condition), closeCode(condition)
	if outlives[condition] {
		end.server, end.elsewhere = cut, true
	}
	return end
}
