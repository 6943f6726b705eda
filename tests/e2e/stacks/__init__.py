"""What the suite can be run against; chosen by `--stack`.

| --stack | what it is | whose settings |
| --- | --- | --- |
| embedded | `chatterbus up`: processes of this machine | each test's |
| containers | the images, by testcontainers | each test's |
| a URL | somebody's running system, which is left running | its owner's |
"""
