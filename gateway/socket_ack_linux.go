package gateway

// acknowledge sends the acknowledgement that is due. The kernel goes back to
// delaying them by itself, so this is done after each read.
func (d descriptor) acknowledge() { sysQuickAck(int(d)) }
