package main

// queue is a heap of events, the earliest first. (container/heap allocates for
// each event, and there are millions.)
type queue struct{ events []event }

func (q *queue) len() int      { return len(q.events) }
func (q *queue) first() *event { return &q.events[0] }

func (q *queue) push(e event) {
	q.events = append(q.events, e)
	i := len(q.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if q.events[parent].at <= e.at {
			break
		}
		q.events[i] = q.events[parent]
		i = parent
	}
	q.events[i] = e
}

func (q *queue) pop() event {
	top := q.events[0]
	n := len(q.events) - 1
	e := q.events[n]
	q.events = q.events[:n]
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && q.events[child+1].at < q.events[child].at {
			child++
		}
		if e.at <= q.events[child].at {
			break
		}
		q.events[i] = q.events[child]
		i = child
	}
	if n > 0 {
		q.events[i] = e
	}
	return top
}
