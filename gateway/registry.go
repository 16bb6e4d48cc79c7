package gateway

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// registry knows the live streams. Any goroutine may call its methods.
type registry struct {
	limits Limits

	// revocations is how many there were. Raised before streams are looked up, so
	// that lookup notices a revocation that came before its bind.
	revocations atomic.Uint64

	mu           sync.Mutex
	draining     bool
	all          map[*stream]struct{}
	strangers    lobby
	byAddress    map[string]int
	byAccount    map[string][]*stream
	bySession    map[string][]*stream
	byCredential map[string][]*stream
	bySM         map[string]*stream // who holds a session that can be resumed
}

func newRegistry(l Limits) *registry {
	return &registry{
		limits:       l,
		all:          map[*stream]struct{}{},
		strangers:    newLobby(l.Streams),
		byAddress:    map[string]int{},
		byAccount:    map[string][]*stream{},
		bySession:    map[string][]*stream{},
		byCredential: map[string][]*stream{},
		bySM:         map[string]*stream{},
	}
}

// admit takes in a new stream from an address, or says why not. displaced, if
// there is one, has to end.
func (r *registry) admit(s *stream) (displaced *stream, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.draining:
		return nil, errDraining
	case len(r.all) >= r.limits.Streams:
		return nil, errFull
	case r.byAddress[s.limitKey] >= r.limits.PerAddress:
		return nil, errAddressFull
	}
	displaced, ok := r.strangers.enter(s)
	if !ok {
		return nil, errCrowded
	}
	r.all[s] = struct{}{}
	r.byAddress[s.limitKey]++
	return displaced, nil
}

// binding is what a stream hangs on: the end of any of them ends the stream.
type binding struct{ account, session, credential string }

// bind puts a stream under what it hangs on, before the server has agreed to
// the login: whatever is revoked from now on reaches it. It reports false if
// the account has too many streams.
func (r *registry) bind(s *stream, b binding) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unbind(s)
	if len(r.byAccount[b.account]) >= r.limits.PerAccount {
		return false
	}
	s.bound = b
	r.strangers.leave(s)
	put(r.byAccount, b.account, s)
	put(r.bySession, b.session, s)
	put(r.byCredential, b.credential, s)
	return true
}

// release undoes bind after a login that failed.
func (r *registry) release(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unbind(s)
	if _, live := r.all[s]; live {
		r.strangers.take(s)
	}
}

// remove forgets a stream.
func (r *registry) remove(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.all[s]; !ok {
		return
	}
	r.unbind(s)
	r.strangers.leave(s)
	delete(r.all, s)
	if r.byAddress[s.limitKey]--; r.byAddress[s.limitKey] == 0 {
		delete(r.byAddress, s.limitKey)
	}
}

// unbind expects r.mu to be held.
func (r *registry) unbind(s *stream) {
	drop(r.byAccount, s.bound.account, s)
	drop(r.bySession, s.bound.session, s)
	drop(r.byCredential, s.bound.credential, s)
	s.bound = binding{}
}

// own makes s the holder of a session.
func (r *registry) own(previd string, s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bySM[previd] = s
}

// owner is the holder of a session, nil if there is none.
func (r *registry) owner(previd string) *stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bySM[previd]
}

// disown ends own, and reports whether s was still the holder.
func (r *registry) disown(previd string, s *stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySM[previd] != s {
		return false
	}
	delete(r.bySM, previd)
	return true
}

// drain refuses new streams from now on and lists the live ones.
func (r *registry) drain() []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
	return slices.Collect(maps.Keys(r.all))
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

// of lists the live streams under one key of an index. index picks the map
// while the lock is held.
func (r *registry) of(index func(*registry) map[string][]*stream, key string) []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(index(r)[key])
}

func byAccount(r *registry) map[string][]*stream    { return r.byAccount }
func bySession(r *registry) map[string][]*stream    { return r.bySession }
func byCredential(r *registry) map[string][]*stream { return r.byCredential }

func put(index map[string][]*stream, key string, s *stream) {
	if key != "" {
		index[key] = append(index[key], s)
	}
}

// drop takes s out of an index, and reports whether it was there.
func drop[K comparable](index map[K][]*stream, key K, s *stream) bool {
	list := index[key]
	i := slices.Index(list, s)
	switch {
	case i < 0:
		return false
	case len(list) == 1:
		delete(index, key)
	default:
		index[key] = slices.Delete(list, i, i+1)
	}
	return true
}
