package main

import "time"

// queue is a heap of what happens at a time, the earliest first. (container/heap allocates
// for each event, and there are millions.)
type queue[T any] struct{ entries []entry[T] }

type entry[T any] struct {
	at   time.Duration
	what T
}

func (q *queue[T]) len() int             { return len(q.entries) }
func (q *queue[T]) first() time.Duration { return q.entries[0].at }

func (q *queue[T]) push(at time.Duration, what T) {
	e := entry[T]{at, what}
	q.entries = append(q.entries, e)
	i := len(q.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if q.entries[parent].at <= at {
			break
		}
		q.entries[i] = q.entries[parent]
		i = parent
	}
	q.entries[i] = e
}

func (q *queue[T]) pop() (time.Duration, T) {
	top := q.entries[0]
	n := len(q.entries) - 1
	e := q.entries[n]
	q.entries[n] = entry[T]{}
	q.entries = q.entries[:n]
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && q.entries[child+1].at < q.entries[child].at {
			child++
		}
		if e.at <= q.entries[child].at {
			break
		}
		q.entries[i] = q.entries[child]
		i = child
	}
	if n > 0 {
		q.entries[i] = e
	}
	return top.at, top.what
}
