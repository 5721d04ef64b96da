# Runs a program and says what it took: microseconds of user and of system time, and the KiB that its largest
# process held at most, with everything that it waited for.
#
#     perl usage.pl NUMBER PROGRAM ARGUMENT...     NUMBER: of getrusage among the system calls of this machine
#
# The figures go to file descriptor 3. A program this small starts in 2 ms, and a program that it starts does not
# inherit the peak of a larger parent.
use strict;
use warnings;

my ($getrusage, @command) = @ARGV;
# Above $^F, and so not handed on.
open(my $report, '>&=', 3) or die "file descriptor 3: $!\n";
my $status = system { $command[0] } @command;
die "$command[0]: $!\n" if $status == -1;

my $children = -1;
my $usage = "\0" x 256;
syscall($getrusage, $children, $usage) == 0 or die "getrusage: $!\n";
my ($userS, $userUs, $systemS, $systemUs, $peakKiB) = unpack('q5', $usage);
printf $report "%d %d %d\n", $userS * 1e6 + $userUs, $systemS * 1e6 + $systemUs, $peakKiB;
exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
