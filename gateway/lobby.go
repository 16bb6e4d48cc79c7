package gateway

import (
	"net/netip"
	"slices"
)

// lobby is where streams are until they have logged in. They may have a quarter
// of all streams, and once those are taken each network has no more than its fair
// share: somebody from another one takes the place of the oldest stream of a
// network that has more. So a crowd that does not log in fills its own place, and
// not that of others. Its owner holds a lock.
type lobby struct {
	room      int
	size      int
	byNetwork map[netip.Prefix][]*stream // as they came
}

// smallestLobby is the room where few streams are allowed in all.
const smallestLobby = 64

func newLobby(streams int) lobby {
	return lobby{room: min(streams, max(streams/4, smallestLobby)), byNetwork: map[netip.Prefix][]*stream{}}
}

// enter takes s in. displaced, if there is one, has to end; it has left already.
// False: there is no room for s.
func (l *lobby) enter(s *stream) (displaced *stream, ok bool) {
	if l.size < l.room {
		l.take(s)
		return nil, true
	}
	fair := max(1, l.room/(len(l.byNetwork)+1))
	if len(l.byNetwork[s.network()]) >= fair {
		return nil, false
	}
	for _, list := range l.byNetwork {
		if len(list) > fair {
			displaced = list[0]
			l.leave(displaced)
			l.take(s)
			return displaced, true
		}
	}
	return nil, false
}

// take has s here, room or none, unless it is.
func (l *lobby) take(s *stream) {
	n := s.network()
	if !slices.Contains(l.byNetwork[n], s) {
		l.byNetwork[n] = append(l.byNetwork[n], s)
		l.size++
	}
}

// leave undoes take.
func (l *lobby) leave(s *stream) {
	if drop(l.byNetwork, s.network(), s) {
		l.size--
	}
}

// network is the neighbourhood that one owner may well have all of: an IPv4 /24
// or an IPv6 /48.
func (s *stream) network() netip.Prefix {
	addr, bits := s.client.Addr(), 24
	if addr.Is6() {
		bits = 48
	}
	p, _ := addr.Prefix(bits) // all whose address nobody knows are one network
	return p
}
