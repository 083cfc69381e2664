// The load generator of the benchmarks.
module tollgate.test/fortio

go 1.25.0

tool fortio.org/fortio

require (
	fortio.org/cli v1.5.2 // indirect
	fortio.org/dflag v1.7.1 // indirect
	fortio.org/fortio v1.63.9 // indirect
	fortio.org/log v1.12.2 // indirect
	fortio.org/scli v1.14.2 // indirect
	fortio.org/sets v1.0.4 // indirect
	fortio.org/struct2env v0.4.0 // indirect
	fortio.org/version v1.0.4 // indirect
	github.com/fsnotify/fsnotify v1.7.0 // indirect
	github.com/golang/protobuf v1.5.4 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/exp v0.0.0-20240506185415-9bf2ced13842 // indirect
	golang.org/x/net v0.25.0 // indirect
	golang.org/x/sys v0.20.0 // indirect
	golang.org/x/text v0.15.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20240521202816-d264139d666e // indirect
	google.golang.org/grpc v1.64.0 // indirect
	google.golang.org/protobuf v1.34.1 // indirect
)
