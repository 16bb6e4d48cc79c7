package wsframe

// Size is how much memory the Reader has for what it reads.
func (r *Reader) Size() int { return cap(r.buf) }

// MaxSize is the most memory that a Reader needs for messages of at most limit
// bytes, if Next is called until it needs more: what is kept, which is a message
// and a control frame of which a byte is missing, leaves room for a read in a
// buffer half as large or does not.
func MaxSize(limit int) int {
	return max(bufferSize, 2*(limit+leastFree+maxControl+6))
}
