package extauth

import (
	"fmt"
	"net/netip"
	"strings"
)

// listeners are the entries of listen.
func (f *ejabberdFile) listeners() (list []map[string]any) {
	entries, _ := f.value(f.Global["listen"]).([]any)
	for _, e := range entries {
		if m, ok := f.value(e).(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

// checkListeners is about the one that the gateway uses. Which that is the file
// does not say: it is one on loopback, and where there is none, any.
func (f *ejabberdFile) checkListeners() {
	var local, all []map[string]any
	for _, l := range f.listeners() {
		if f.word(l["module"]) != "ejabberd_c2s" {
			continue
		}
		if all = append(all, l); f.isLocal(l) {
			local = append(local, l)
		}
	}
	candidates := local
	if len(local) == 0 {
		candidates = all
	}
	var ports []string
	for _, l := range candidates {
		if !f.shaped(l) {
			f.look("the shaper of the listener for Trunkline's gateway, which is taken to be the one on port %s", f.word(l["port"]))
			return
		}
		ports = append(ports, f.word(l["port"]))
	}
	if len(ports) == 0 {
		return
	}
	f.look("the shaper of the listeners that may be the one for Trunkline's gateway: port %s", strings.Join(ports, ", "))
	f.find("The listener for Trunkline's gateway (port %s) has a shaper, which slows down everybody who chats in Mastodon together: "+
		"100 KB can take half a minute. Give the gateway a listener on 127.0.0.1 of its own with: shaper: none", strings.Join(ports, " or "))
}

func (f *ejabberdFile) isLocal(listener map[string]any) bool {
	if strings.HasPrefix(f.word(listener["port"]), "unix:") {
		return true
	}
	ip, err := netip.ParseAddr(f.word(listener["ip"]))
	return err == nil && ip.Unmap().IsLoopback()
}

// shaped says whether a listener's shaper is more than a word for none.
func (f *ejabberdFile) shaped(listener map[string]any) bool {
	name := f.value(listener["shaper"])
	if rules, ok := f.value(f.Global["shaper_rules"]).(map[string]any); ok {
		if rule, ok := rules[fmt.Sprint(name)]; ok {
			name = f.value(rule)
		}
	}
	return name != nil && f.word(name) != "none"
}
