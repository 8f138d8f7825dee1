package reqbody

// attempt is what a source knows about an attempt whose body it provides. The attempt is
// current until it is revoked. All its readers are then revoked, too.
type attempt struct {
	lease   *Lease
	readers readers
	dead    error    // what its readers return once it is revoked; nil if it is current
	earlier *attempt // a current attempt that began before this one
}

// attempts are the current attempts. There is more than one only if they may be in flight
// at the same time (Body.Apart).
type attempts struct{ latest *attempt }

// begin makes a, the attempt of l, current.
func (all *attempts) begin(a *attempt, l *Lease) {
	a.lease, a.earlier = l, all.latest
	all.latest = a
}

// of returns the current attempt of l, or nil.
func (all *attempts) of(l *Lease) *attempt {
	for a := all.latest; a != nil; a = a.earlier {
		if a.lease == l {
			return a
		}
	}
	return nil
}

// revoke revokes the attempt of l, or all attempts if l is nil: their readers return err
// from now on. It reports whether there was one.
func (all *attempts) revoke(l *Lease, err error) (found bool) {
	for at := &all.latest; *at != nil; {
		a := *at
		if l != nil && a.lease != l {
			at = &a.earlier
			continue
		}
		a.dead, found = err, true
		*at, a.earlier = a.earlier, nil
	}
	return found
}

// reading returns how many readers have begun to read and have not ended.
func (all *attempts) reading() (n int) {
	for a := all.latest; a != nil; a = a.earlier {
		n += int(a.readers.reading)
	}
	return n
}

// inUse reports whether an attempt may still need the body.
func (all *attempts) inUse() bool {
	for a := all.latest; a != nil; a = a.earlier {
		if a.readers.inUse() {
			return true
		}
	}
	return false
}

// bodyIsDone reports whether the Body of every attempt has ended or been closed.
func (all *attempts) bodyIsDone() bool {
	for a := all.latest; a != nil; a = a.earlier {
		if a.readers.body != ended && a.readers.body != released {
			return false
		}
	}
	return true
}

// sentAsCopy reports whether the base of an attempt may have sent a copy instead of Body.
func (all *attempts) sentAsCopy() bool {
	for a := all.latest; a != nil; a = a.earlier {
		if a.readers.body == sentAsCopy {
			return true
		}
	}
	return false
}
