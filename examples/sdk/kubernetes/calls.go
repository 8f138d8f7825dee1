package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var list = call{Name: "List", Make: func(w *world) (string, error) { return listBy(w.ctx, w) }}

// listWhole asks again for a truncated response. MaxWholeBytes is not for all
// calls: watches have the type of a document, and each would be held up by
// MaxPeekTime.
var listWhole = call{Name: "List, whole", Make: func(w *world) (string, error) {
	return listBy(insist.EditPolicy(w.ctx, func(p *insist.Policy) { p.MaxWholeBytes = 8 << 20 }), w)
}}

func listBy(ctx context.Context, w *world) (string, error) {
	pods, err := w.core.Pods("default").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	var names []string
	for _, p := range pods.Items {
		names = append(names, p.Name)
	}
	return strings.Join(names, " "), nil
}

var create = call{Name: "Create", Make: func(w *world) (string, error) {
	created, err := w.core.Pods("default").Create(w.ctx, &corev1.Pod{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return created.Name, nil
}}

var update = call{Name: "Update", Make: func(w *world) (string, error) {
	updated, err := w.core.ConfigMaps("default").Update(w.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "big", ResourceVersion: "0"},
		Data:       map[string]string{"key": data},
	}, metav1.UpdateOptions{})
	if err != nil {
		return "", err
	}
	return "version " + updated.ResourceVersion, nil
}}

// follow acknowledges the first event; the API sends the second one after that.
// The end of a watch is no error to client-go, but a reason to begin another.
var follow = call{Name: "Watch", Make: func(w *world) (string, error) {
	watcher, err := w.core.Pods("default").Watch(w.ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	defer watcher.Stop()
	var events []string
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return "", apierrors.FromObject(event.Object)
		}
		if events = append(events, string(event.Type)); len(events) == 1 {
			w.api.heard <- struct{}{}
		}
	}
	if len(events) < 2 {
		return "", errors.New("the watch ended early")
	}
	return strings.Join(events, " "), nil
}}

// followLog acknowledges the first line; the API sends the second one after that.
var followLog = call{Name: "GetLogs", Make: func(w *world) (string, error) {
	stream, err := w.core.Pods("default").GetLogs("web", &corev1.PodLogOptions{Follow: true}).Stream(w.ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var lines []string
	scanner := bufio.NewScanner(stream)
	for scanner.Scan() {
		if lines = append(lines, scanner.Text()); len(lines) == 1 {
			w.api.heard <- struct{}{}
		}
	}
	if err := scanner.Err(); err != nil {
		return "", err
	}
	return strings.Join(lines, " "), nil
}}

var execute = call{Name: "Exec", Make: func(w *world) (string, error) {
	executor, err := remotecommand.NewWebSocketExecutor(w.config, "GET", execURL(w))
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = executor.StreamWithContext(w.ctx, remotecommand.StreamOptions{Stdout: &out})
	return out.String(), err
}}

func execURL(w *world) string {
	return w.core.RESTClient().Get().Namespace("default").Resource("pods").Name("web").SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"echo", "hello"}, Stdout: true}, scheme.ParameterCodec).
		URL().String()
}
