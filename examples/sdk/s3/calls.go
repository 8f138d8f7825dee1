package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

const (
	bucket = "bucket"
	oldKey = "is there already"
	newKey = "is written"
	size   = 5 << 20
)

// content has no two parts alike, so that a byte in the wrong place is seen.
var content = func() string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "%015d\n", n)
	}
	return b.String()
}()

type (
	call = sabotage.Call[*world]
	step = sabotage.Step[*world]
)

var upload = call{Name: "PutObject, seekable", Make: func(w *world) (string, error) {
	_, err := w.plain.PutObject(w.ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey), Body: strings.NewReader(content),
	})
	return "stored", err
}}

// uploadOnce writes only what is not there yet.
var uploadOnce = call{Name: "PutObject, If-None-Match", Make: func(w *world) (string, error) {
	_, err := w.plain.PutObject(w.ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey), Body: strings.NewReader(content),
		IfNoneMatch: aws.String("*"),
	})
	return "stored", err
}}

// uploadStream sends what somebody else writes at the same time. The SDK takes that over
// TLS alone, where it computes the checksum as it sends, and S3 wants its length.
var uploadStream = call{Name: "PutObject, stream", Make: func(w *world) (string, error) {
	r, pipe := io.Pipe()
	defer r.Close()
	go func() {
		_, err := io.Copy(pipe, strings.NewReader(content))
		pipe.CloseWithError(err)
	}()
	_, err := w.secured.PutObject(w.ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey), Body: r, ContentLength: aws.Int64(size),
	})
	return "stored", err
}}

var download = call{Name: "GetObject", Make: func(w *world) (string, error) {
	object, err := w.secured.GetObject(w.ctx, &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(oldKey),
	})
	if err != nil {
		return "", err
	}
	defer object.Body.Close()
	got, err := io.ReadAll(object.Body)
	if err == nil && string(got) != content {
		err = errors.New("another object")
	}
	return fmt.Sprintf("%d bytes", len(got)), err
}}

var uploadParts = call{Name: "multipart upload", Make: func(w *world) (string, error) {
	upload, err := w.secured.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey),
	})
	if err != nil {
		return "", err
	}
	var parts []types.CompletedPart
	for n, part := range []string{content[:size-100_000], content[size-100_000:]} {
		number := aws.Int32(int32(n + 1))
		done, err := w.secured.UploadPart(w.ctx, &s3.UploadPartInput{
			Bucket: aws.String(bucket), Key: aws.String(newKey),
			UploadId: upload.UploadId, PartNumber: number, Body: strings.NewReader(part),
		})
		if err != nil {
			return "", err
		}
		parts = append(parts, types.CompletedPart{ETag: done.ETag, PartNumber: number})
	}
	_, err = w.secured.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey),
		UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return "stored", err
}}

var copyObject = call{Name: "CopyObject", Make: func(w *world) (string, error) {
	_, err := w.plain.CopyObject(w.ctx, &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(newKey),
		CopySource: aws.String(bucket + "/is%20there%20already"),
	})
	return "stored", err
}}
